#!/usr/bin/env bash
# Fuzzes the parsers of pummel-http, each target for a bounded time.
#
#   scripts/fuzz.sh [seconds]     default: 30 seconds a target
#
# Inputs that reach new code stay under the target directory and are the start of the next run; the seeds in
# engine/http/fuzz/corpus are read and never written. A finding is written to engine/http/fuzz/artifacts.
set -euo pipefail

seconds="${1:-30}"
if ! [[ "$seconds" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: scripts/fuzz.sh [seconds]   (a whole number of at least 1, not \"$seconds\")" >&2
    exit 2
fi

cd "$(dirname "$0")/../engine/http"
targets=(response request)

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing; installing it"
    cargo install cargo-fuzz --locked
fi

# The sanitizer flags are for nightly compilers; this lets the stable one take them, for this build alone.
export RUSTC_BOOTSTRAP=1
# Never the folder of the ordinary build: the flags differ and everything there would be built anew.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/fuzz"

for target in "${targets[@]}"; do
    grown="$CARGO_TARGET_DIR/corpus/$target"
    mkdir -p "$grown"
    echo "fuzzing $target for $seconds s"
    if ! cargo fuzz run "$target" "$grown" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=2048 -timeout=10 -verbosity=0 -print_final_stats=1; then
        echo "fuzz: FAILED: $target found an input that breaks a promise; it is in engine/http/fuzz/artifacts/$target" >&2
        exit 1
    fi
done
echo "fuzz: OK: ${targets[*]}, $seconds s each, nothing found"
