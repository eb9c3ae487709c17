#!/usr/bin/env bash
# Makes .venv what the locks say, then becomes the given command:
#
#   scripts/bootstrap.sh runtime|dev [-- COMMAND [ARGUMENT...]]
#
# Every file that is fetched is checked against a hash in requirements/. The result is stamped with the hash of all that
# it depends on, so that a start with nothing to do costs a few milliseconds. It may be interrupted anywhere and run
# any number of times at once: an environment left half-made is made again, and one run waits for another.
set -euo pipefail

profile=${1:?usage: scripts/bootstrap.sh runtime|dev [-- COMMAND [ARGUMENT...]]}
shift
[ "${1:-}" = -- ] && shift

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case $profile in
    runtime | dev) ;;
    *)
        echo "scripts/bootstrap.sh: the profile is runtime or dev, not $profile" >&2
        exit 2
        ;;
esac

here=$(pwd -P)
venv=.venv
unfinished=$venv/.unfinished

# What the installed packages follow from.
key() { # PROFILE
    cat "requirements/$1.txt" requirements/uv.txt pyproject.toml scripts/bootstrap.sh | sha256sum
}

stamped() { # PROFILE
    local stamp
    stamp=$(cat "$venv/.stamp-$1" 2>/dev/null) && [ "$stamp" = "$(key "$1")" ]
}

# Whether there is a whole environment of this folder (the scripts in it hold absolute paths) and of PYTHON, where one
# is named. The interpreter that it was made from can be uninstalled: then the link in bin leads nowhere.
usable() {
    local folder python
    [ -x $venv/bin/python ] && [ ! -e $unfinished ] || return 1
    { read -r folder && read -r python; } 2>/dev/null <$venv/.made-for || return 1
    [ "$folder" = "$here" ] && [ "${PYTHON:-$python}" = "$python" ]
}

# dev contains runtime at the same versions, so either stamp will do for runtime.
ready() {
    usable && { stamped "$profile" || { [ "$profile" = runtime ] && stamped dev; }; }
}

# A slow step runs beside the shell, in a process group of its own, so that a signal ends all of it.
step() {
    set -m
    "$@" </dev/null &
    group=$!
    set +m
    wait "$group"
    group=
}
stop() { # SIGNAL NUMBER
    trap '' TERM INT HUP
    if [ -n "${group:-}" ]; then
        kill -TERM -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
    fi
    exit $((128 + $1))
}

# uv does not read pip's configuration; a machine that has only a mirror configured has it there.
inherit_index() {
    local index
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        index=$($venv/bin/python -m pip config get global.index-url 2>/dev/null) || index=${PIP_INDEX_URL:-}
        if [ -n "$index" ]; then export UV_DEFAULT_INDEX=$index; fi
    fi
    if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "${PIP_CERT:-}" ]; then export SSL_CERT_FILE=$PIP_CERT; fi
}

make_environment() {
    local python
    if ! usable; then
        python=$(scripts/find-python.sh)
        echo "Making .venv with $("$python" --version) ..." >&2
        rm -rf $venv
        mkdir $venv
        : >$unfinished
        step "$python" -m venv $venv
        printf '%s\n' "$here" "${PYTHON:-$python}" >$venv/.made-for
    fi
    : >$unfinished
    rm -f $venv/.stamp-*
    step $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
        --only-binary :all: --requirement requirements/uv.txt
    inherit_index
    echo "Installing requirements/$profile.txt ..." >&2
    export VIRTUAL_ENV=$here/$venv
    step $venv/bin/uv pip sync --quiet --require-hashes --no-config "requirements/$profile.txt" requirements/uv.txt
    # Built by the locked hatchling: nothing is fetched here.
    step $venv/bin/uv pip install --quiet --offline --no-deps --no-build-isolation --no-config --editable .
    key "$profile" >"$venv/.stamp-$profile"
    rm -f $unfinished
}

if ! ready; then
    trap 'stop 15' TERM
    trap 'stop 2' INT
    trap 'stop 1' HUP
    exec 9<.
    if command -v flock >/dev/null && ! flock --nonblock 9; then
        echo "Another run is making .venv: waiting for it ..." >&2
        step flock 9
    fi
    ready || make_environment
    exec 9<&-
    trap - TERM INT HUP
fi

if [ $# -gt 0 ]; then exec "$@"; fi
