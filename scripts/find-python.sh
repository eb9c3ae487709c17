#!/usr/bin/env bash
# Prints the path of a Python that can run Jelmore (3.12 or later, able to make virtual environments), or says what
# to install and exits 1. PYTHON=/path/to/python names one; otherwise PATH is looked through, then pyenv's and uv's
# own folders, where a version can lie without being on PATH. 3.12 is preferred: it is what the locks are tested with.
set -uo pipefail

# A candidate counts only if it runs: pyenv's shims exist for every version that is installed, active or not.
# Exit code 3: new enough, but Debian's packages without the one that holds ensurepip.
usable() {
    "$1" -c '
import sys
if sys.version_info < (3, 12):
    sys.exit(1)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(3)
print(sys.executable)' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    if usable "$PYTHON"; then exit 0; fi
    echo "PYTHON=$PYTHON is not a Python 3.12 or later with the venv and ensurepip modules." \
        "Name one that is, or unset PYTHON to have one looked for." >&2
    exit 1
fi

shopt -s nullglob
pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
uv=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}
candidates=(
    python3.12 "$pyenv"/3.12*/bin/python3.12 "$uv"/cpython-3.12*/bin/python3.12
    python3.13 "$pyenv"/3.13*/bin/python3.13 "$uv"/cpython-3.13*/bin/python3.13
    python3 python
)
for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null || continue
    usable "$candidate" && exit 0
    if [ $? -eq 3 ]; then bare=${bare:-$candidate}; fi
done

if [ -n "${bare:-}" ]; then
    echo "$bare is new enough for Jelmore, but lacks the venv module. Install it, then try again:" \
        "apt install ${bare##*/}-venv" >&2
    exit 1
fi
found=$(python3 --version 2>/dev/null || echo "no python3")
cat >&2 <<MESSAGE
Jelmore needs Python 3.12 or later with the venv module; found only: $found.
Install one, then try again:
  Debian 13, Ubuntu 24.04 or later:  apt install python3 python3-venv
  any system, with pyenv:            pyenv install 3.12
  any system, with mise:             mise install
  or name an existing one:           PYTHON=/path/to/python3.12 make up
MESSAGE
exit 1
