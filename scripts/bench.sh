#!/usr/bin/env bash
# Pummel beside wrk, ab, h2load and the bare ring loop, and beside hey, oha, gcannon, hrp, wrk2
# (or the program named in WRK2) and vegeta where they are on PATH.
# Arguments go to the bench: scripts/bench.sh --list, --only hit-64, --rounds 5, --record
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
need wrk:wrk ab:apache2-utils h2load:nghttp2-client nginx:nginx-light openssl:openssl taskset:util-linux setpriv:util-linux
need_funppy
# The clients of the memory scenarios hold 10,000 connections, nginx as many.
ulimit -n "$(ulimit -Hn)"
stage "Building Pummel" cargo build --release --locked -p pummel
stage "Building the bare ring loop" cargo build --release --locked -p pummel-ring --example bare_loop
stage "Building the bench" cargo build --release --locked -p pummel-bench-peers
say "Measuring"
exec "${CARGO_TARGET_DIR:-target}/release/pummel-bench-peers" "$@"
