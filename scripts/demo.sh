#!/usr/bin/env bash
# Builds Pummel and shows it at work: 200 users against the server it brings along, for 15 s.
# Arguments go to `pummel demo`: scripts/demo.sh --run-time 60 --spawn-count 1000
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
stage "Building (a few minutes the first time)" cargo build --release --locked -p pummel
exec "${CARGO_TARGET_DIR:-target}/release/pummel" demo "$@"
