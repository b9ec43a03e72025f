#!/usr/bin/env bash
# Everything that must hold before a change goes in. On a fresh Debian 12 it needs only a Rust toolchain: the rest it installs.
# The end-to-end tests drive the binary of the `ci` profile, close to release in speed; all others are built for debugging.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

make_websockets() {
    python3 -m venv --clear "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check websockets==15.0.1
}

start=$SECONDS
need_build_tools
need nginx:nginx-light ip:iproute2 curl:curl python3:python3 ps:procps setpriv:util-linux chromium:chromium jq:jq
python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
need openssl:openssl nghttpd:nghttp2-server tinyproxy:tinyproxy
# Only the binaries are wanted: no service of these is started.
need prometheus:prometheus prometheus-pushgateway:prometheus-pushgateway
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ||
    stage "Installing rustfmt and clippy" rustup component add rustfmt clippy
ulimit -n "$(ulimit -Hn)"

stage "Tidy" scripts/tidy.sh
stage "Format" cargo fmt --all --check
stage "Lints" cargo clippy --locked --workspace --all-targets -- -D warnings
stage "Binary for end-to-end tests" cargo build --locked --profile ci -p pummel
PUMMEL_BIN=$(realpath "${CARGO_TARGET_DIR:-target}")/ci/pummel
export PUMMEL_BIN
# The websocket server of the end-to-end tests: a package of PyPI, in an environment of its own.
websockets=$(realpath "${CARGO_TARGET_DIR:-target}")/python-websockets-15.0.1
[ -x "$websockets/bin/python" ] && "$websockets/bin/python" -c 'import websockets' 2>/dev/null ||
    stage "Python websockets" make_websockets "$websockets"
export PUMMEL_WEBSOCKETS_PYTHON=$websockets/bin/python
# What hrp runs debugtalk.py with, for the tests of plugins.
need_funppy
# A snapshot that differs fails; it does not leave a new one in the tree.
export INSTA_UPDATE=no
if cargo nextest --version >/dev/null 2>&1; then
    stage "Tests" cargo nextest run --locked --workspace --no-fail-fast
else
    stage "Tests" cargo test --locked --workspace --lib --bins --tests --no-fail-fast
fi
stage "Doc tests" cargo test --locked --workspace --doc
say "All is well after $((SECONDS - start)) s"
