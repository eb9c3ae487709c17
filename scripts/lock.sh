#!/usr/bin/env bash
# Compiles requirements/*.txt from pyproject.toml: exact versions with hashes, for Python 3.12 and later on every
# platform, and without the address of the registry they were found on. Versions already locked are kept;
# UPGRADE=1 takes the newest ones. UV=/path/to/uv uses another uv than the pinned one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=${UV:-.venv/bin/uv}
python=$(scripts/find-python.sh)
inputs=$("$python" scripts/lock_inputs.py)
upgrade=(${UPGRADE:+--upgrade})
# Beside the locks, so that a lock is replaced in one step; it is both the source of the kept versions and the last resort.
scratch=$(mktemp -d requirements/.lock.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

compile() { # NAME ARGUMENT...
    local name=$1
    shift
    local lock=requirements/$name.txt
    local new=$scratch/$name.txt
    if [ -e "$lock" ]; then cp "$lock" "$new"; fi
    "$uv" pip compile --quiet --no-config --python "$python" --universal --python-version 3.12 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --custom-compile-command "make lock" \
        "${upgrade[@]}" --output-file "$new" "$@"
    {
        echo "# Compiled from pyproject.toml by \`make lock\`. Do not edit."
        echo "# inputs: sha256:$inputs"
        grep -v '^# \(Compiled\|inputs\)' "$new"
    } >"$new.whole"
    mv "$new.whole" "$lock"
    echo "$lock: $(grep -c '^[a-z0-9].*==' "$lock") packages"
}

# What an image installs of the extras: the versions of runtime.txt, without the base install, which is the client.
compile_extras() { # NAME EXTRA...
    local name=$1
    shift
    "$python" scripts/extras.py "$@" >"$scratch/$name.in"
    compile "$name" "$scratch/$name.in" --no-annotate --constraint requirements/runtime.txt
}

compile uv --group uv
compile runtime pyproject.toml --extra local --group editable
# The same versions in both, so that `make up` and `make test` share one environment.
compile dev pyproject.toml --extra dev --group editable --constraint requirements/runtime.txt
# An environment of a test's own: no version in it has to go with any other.
compile generator --group generator
compile_extras session session
compile_extras cluster operator api
# The wheel that carries the CLI, for the session's image, without what the SDK in it needs.
echo claude-agent-sdk >"$scratch/claude.in"
compile claude "$scratch/claude.in" --no-annotate --no-deps --constraint requirements/runtime.txt
