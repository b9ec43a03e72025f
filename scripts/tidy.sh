#!/usr/bin/env bash
# What a reviewer would otherwise repeat: size of files, unsafe outside its crate, things left for later, machine paths,
# size of the dependency tree.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# A file beyond this holds two ideas.
lines_max=800
# More packages take longer to build, to audit and to trust.
packages_max=320

found=0

# Prints what was found under a heading and remembers that there was something: complain HEADING TEXT
complain() {
    [ -z "$2" ] && return
    printf '%s\n%s\n' "$1" "$2" | sed '2,$s/^/    /'
    found=1
}

# The project's own files with one of the endings given, without what is built: sources rs sh
sources() {
    local ending names=()
    for ending in "$@"; do
        names+=(-o -name "*.$ending")
    done
    find . \( -name target -o -name .git \) -prune -o -type f \( "${names[@]:1}" \) -print
}

# grep that is content to find nothing: lines_with PATTERN FILE...
lines_with() {
    grep -nE "$@" /dev/null || [ $? -eq 1 ]
}

mapfile -t rust < <(sources rs)
mapfile -t text < <(sources rs sh toml yml yaml md | grep -v '^./scripts/tidy.sh$')
mapfile -t safe_rust < <(printf '%s\n' "${rust[@]}" | grep -v '^./engine/ring/')

complain "Files of more than $lines_max lines:" \
    "$(wc -l "${rust[@]}" | awk -v max=$lines_max '$2 != "total" && $1 > max')"
complain "unsafe outside engine/ring:" \
    "$(lines_with '^[^/"]*\bunsafe +(\{|fn\b|impl\b|trait\b|extern\b)|allow\(unsafe_code\)' "${safe_rust[@]}")"
complain "Left for later:" \
    "$(lines_with '\b(TODO|FIXME|XXX)\b|\b(todo|unimplemented)!|#\[ignore' "${text[@]}")"
complain "Paths of one machine:" \
    "$(lines_with '/(home|root|Users)/[a-z]|(^|[^a-z.])/work/' "${text[@]}")"

# What is built for the binary, build scripts included; Cargo.lock also holds what tests and other systems need.
packages=$(cargo tree --locked --quiet -p pummel -e normal,build --prefix none | sed 's/ .*//' | sort -u | wc -l)
[ "$packages" -le "$packages_max" ] || complain "Dependencies:" "$packages packages in the binary, more than $packages_max"

[ "$found" -eq 0 ] || exit 1
echo "tidy: ${#rust[@]} Rust files, $packages packages of at most $packages_max"
