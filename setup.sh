#!/usr/bin/env bash
# One command for newcomers: checks what this machine has, makes the environment, says what to do next.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

missing=()
for tool in make git; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "Jelmore needs ${missing[*]}. On Debian or Ubuntu: apt install ${missing[*]}" >&2
    exit 1
fi
case $(uname -s) in
    Linux) ;;
    *)
        echo "Jelmore on one machine runs on Linux (it uses inotify and Linux process control); this is $(uname -s)." >&2
        exit 1
        ;;
esac

scripts/bootstrap.sh runtime

if [ -n "${ANTHROPIC_API_KEY:-}${CLAUDE_CODE_OAUTH_TOKEN:-}" ] || [ -e "${CLAUDE_CONFIG_DIR:-$HOME/.claude}/.credentials.json" ]; then
    credentials="Claude credentials were found on this machine; sessions will use them."
else
    credentials="No Claude credentials were found: sessions will talk to the scripted demo model.
To use your own, set one in .env (cp .env.example .env): ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN."
fi

cat <<MESSAGE

Jelmore is ready. $credentials

  make up      start it; it prints its address and a first call
  make         list everything else
  README.md    the tour
MESSAGE
