# Sourced by ./demo and ./test. `make_venv [EXTRA]` installs this checkout, with an extra, into a virtual environment
# and puts it on PATH. It stands in .venv, or where ORMLIFT_VENV says. A second call finds it made, and does nothing.

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 2
}

find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
        # A name alone proves nothing: version managers leave launchers behind that fail when called.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

make_venv() {
    command -v git >/dev/null 2>&1 || fail "git was not found on PATH: install it"
    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.11 or newer was found on PATH: install one from https://www.python.org/downloads/"

    venv=${ORMLIFT_VENV:-$root/.venv}
    stamp=$venv/.ormlift${1:+-$1}
    wanted="$root $(cksum <"$root/pyproject.toml")"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Setting up $venv with $("$python" --version) ..." >&2
        [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" >&2 ||
            fail "$python cannot make a virtual environment: install its venv module (on Debian: apt install python3-venv)"
        PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install -qq --editable "$root${1:+[$1]}" >&2 ||
            fail "the packages could not be installed into $venv: see pip's message above"
        printf '%s\n' "$wanted" >"$stamp"
    fi
    PATH=$venv/bin:$PATH
    export PATH
}
