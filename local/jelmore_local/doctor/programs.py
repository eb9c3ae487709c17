"""Programs and credentials: Python, Claude Code, and who pays for the model."""

import platform
import re
import subprocess
import sys
from collections.abc import Iterator

from jelmore_local.credentials import Source, find_credentials
from jelmore_local.doctor.finding import Finding, bad, note, ok
from jelmore_local.servers.packages import package_folder
from jelmore_local.settings import Settings

_LEAST_PYTHON = (3, 12)
_LIMIT_S = 30.0
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def python(_: Settings) -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info[:2] < _LEAST_PYTHON:
        yield bad("python", f"Python {version}", "install Python 3.12 or later, then `make setup`")
    else:
        yield ok("python", f"Python {version} at {sys.executable}")


def claude(_: Settings) -> Iterator[Finding]:
    """Raises StartError."""
    program = package_folder("claude_agent_sdk") / "_bundled" / "claude"
    version = version_of(str(program), "--version")
    if version is None:
        yield bad("claude", f"{program} cannot be run", "install claude-agent-sdk again: make setup")
    else:
        yield ok("claude", f"Claude Code {version}")


def model(settings: Settings) -> Iterator[Finding]:
    found = find_credentials(settings.environment)
    if found.source is Source.DEMO:
        remedy = "set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or log in with Claude Code"
        yield note("credentials", "none for Claude: a scripted demo model answers", remedy)
    else:
        yield ok("credentials", f"for Claude, by {found.description}")


def version_of(program: str, *arguments: str) -> str | None:
    """What it says; None for one that does not run."""
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout)
    return found[0] if done.returncode == 0 and found else None
