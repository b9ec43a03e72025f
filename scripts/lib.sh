# Shared by the scripts here; sourced, not run.

# Prints a line that stands out.
say() {
    printf '\n== %s\n' "$*"
}

# Ends with a sentence.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Runs a stage and prints how long it took: stage NAME COMMAND...
stage() {
    local name=$1 start=$SECONDS
    shift
    say "$name"
    "$@" || fail "$name failed"
    printf -- '-- %s: %d s\n' "$name" "$((SECONDS - start))"
}

# Runs a command as root, through sudo where that is needed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Installs the Debian packages whose command is not there: need COMMAND:PACKAGE...
# A word without a colon is a package without a command of its own, asked for through dpkg.
need() {
    local entry missing=()
    for entry in "$@"; do
        if [[ $entry == *:* ]]; then
            # nginx and the like live in sbin, which is not on everyone's PATH.
            PATH=$PATH:/usr/sbin:/sbin command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
        else
            dpkg-query -W -f '${Status}' "$entry" 2>/dev/null | grep -q 'ok installed' || missing+=("$entry")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || fail "please install ${missing[*]} (Debian's names); there is no apt-get here"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        fail "run as root, or: apt-get install ${missing[*]}"
    say "Installing ${missing[*]}"
    as_root apt-get update -qq
    without_starting_services as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# nginx-light would start a server on port 80 where there is an init system; Debian's policy-rc.d keeps it from that.
without_starting_services() {
    local policy=/usr/sbin/policy-rc.d result=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    "$@" || result=$?
    as_root rm -f "$policy"
    return "$result"
}

# What a build needs besides the Rust toolchain: a C compiler for bundled C sources, git for a build script.
need_build_tools() {
    command -v cargo >/dev/null || fail "no cargo on PATH; install Rust from https://rustup.rs"
    need cc:gcc git:git libc6-dev
}

# Names in PUMMEL_FUNPPY_PYTHON a Python that has funppy, of an environment made for it below the folder of build output.
need_funppy() {
    local target=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target"
    PUMMEL_FUNPPY_PYTHON=$(realpath "$target")/python-funppy-0.5.2/bin/python
    export PUMMEL_FUNPPY_PYTHON
    [ -x "$PUMMEL_FUNPPY_PYTHON" ] && "$PUMMEL_FUNPPY_PYTHON" -c 'import funppy' 2>/dev/null && return
    need python3:python3
    python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
    stage "Python funppy" make_funppy "$target/python-funppy-0.5.2"
}

make_funppy() {
    python3 -m venv --clear "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check funppy==0.5.2
}

# nginx and taskset as plain commands.
PATH=$PATH:/usr/sbin:/sbin
export PATH
