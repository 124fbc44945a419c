# What scripts/test and scripts/demo share: finding a Python, making an environment, installing what
# is missing. Sourced by bash 3.2 and later, from the project's root.

missing=()

say() { printf '\n== %s\n' "$*"; }

is_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    # A name on PATH may be a shim for a version that is not selected: only running it tells.
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3 python \
        "$HOME"/.pyenv/versions/3.1[1-9]*/bin/python; do
        if is_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_environment() { # folder, extras: an environment with this project in it, quick if it is there
    local folder=$1 extras=$2 python stamp
    stamp="$(cksum <pyproject.toml) $extras"
    if ! is_python "$folder/bin/python"; then
        if ! python=$(find_python); then
            echo "Python 3.11 or later is not installed." >&2
            return 1
        fi
        say "Making $folder with $("$python" --version)"
        rm -rf "$folder"
        if ! "$python" -m venv "$folder"; then
            echo "$python cannot make an environment (on Debian: apt-get install python3-venv)." >&2
            return 1
        fi
    elif [ "$(cat "$folder/installed" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    say "Installing into $folder"
    "$folder/bin/python" -m pip install -qq --disable-pip-version-check -e ".[$extras]" || return
    echo "$stamp" >"$folder/installed"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_package() { # names as apt-get and Homebrew know them; fails where it may not
    if command -v apt-get >/dev/null; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" ||
            { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends "$@"; }
    elif command -v brew >/dev/null; then
        brew install "$@"
    else
        return 1
    fi >/dev/null 2>&1
}

need_memcached() {
    command -v memcached >/dev/null && return
    say "Installing memcached"
    install_package memcached || missing+=("memcached (apt-get install memcached, or brew install memcached)")
}

npm_install() { # folder, packages: gives up where there is no network, rather than try for minutes
    local folder=$1
    mkdir -p "$folder"
    npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error \
        --fetch-retries=1 --fetch-timeout=60000 "${@:2}"
}

need_npm() {
    command -v npm >/dev/null && return
    say "Installing npm"
    install_package nodejs npm || install_package node
}
