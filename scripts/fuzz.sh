#!/usr/bin/env bash
# Fuzzes every parser of foreign bytes, each target of each crate for a bounded time.
#
#   scripts/fuzz.sh [seconds [target...]]     default: 30 seconds, all targets
#
# Inputs that reach new code stay under the target directory and are the start of the next run; the seeds in a crate's
# fuzz/corpus are read and never written. A finding is written to the crate's fuzz/artifacts.
set -euo pipefail

seconds="${1:-30}"
if ! [[ "$seconds" =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: scripts/fuzz.sh [seconds [target...]]   (a whole number of at least 1, not \"$seconds\")" >&2
    exit 2
fi
shift $(($# > 0 ? 1 : 0))

cd "$(dirname "$0")/.."
root=$PWD
crates=(engine/http engine/case engine/plugin stats)

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing; installing it"
    cargo install cargo-fuzz --locked
fi

# The sanitizer flags are for nightly compilers; this lets the stable one take them, for this build alone.
export RUSTC_BOOTSTRAP=1
# Never the folder of the ordinary build: the flags differ and everything there would be built anew.
CARGO_TARGET_DIR="$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz"
export CARGO_TARGET_DIR

fuzzed=()
for crate in "${crates[@]}"; do
    cd "$root/$crate"
    for file in fuzz/fuzz_targets/*.rs; do
        target=$(basename "$file" .rs)
        if (($# > 0)) && [[ " $* " != *" $target "* ]]; then
            continue
        fi
        grown="$CARGO_TARGET_DIR/corpus/$target"
        mkdir -p "$grown"
        echo "fuzzing $target of $crate for $seconds s"
        if ! cargo fuzz run "$target" "$grown" "fuzz/corpus/$target" -- \
            -max_total_time="$seconds" -max_len=2048 -timeout=10 -verbosity=0 -print_final_stats=1; then
            echo "fuzz: FAILED: $target found an input that breaks a promise; it is in $crate/fuzz/artifacts/$target" >&2
            exit 1
        fi
        fuzzed+=("$target")
    done
done
if ((${#fuzzed[@]} == 0)); then
    echo "fuzz: no target is named $*; the targets are the files in ${crates[*]/%//fuzz/fuzz_targets}" >&2
    exit 2
fi
echo "fuzz: OK: ${fuzzed[*]}, $seconds s each, nothing found"
