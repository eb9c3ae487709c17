"""Pages of the documentation as programs: commands and Python, run one after another as a reader would."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Seconds for one command.
_LIMIT = 90
#: Seconds that a command may run of which the page says that it goes on until it is stopped.
_SHORT = 5
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*) -->\n+)?```(?P<language>console|python)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_NOT_RUN = "not run: "
_PART_NOT_RUN = re.compile(r"<!-- not run from here: .*?(?:<!-- run from here -->|\Z)", re.DOTALL)
_STOPPED = "runs until stopped"
_FAILS = re.compile(r"exits with (\d+)")


@dataclass(frozen=True)
class Command:
    """`status`: the exit code that the page promises; None: it runs until it is stopped."""

    text: str
    line: int
    status: int | None = 0


def commands(page: Path) -> Iterator[Command]:
    """What is behind each `$ `, with the lines that go on from it, and each block of Python.

    A comment right before a block may say `<!-- not run: why -->`, `<!-- runs until stopped -->` or
    `<!-- exits with 3 -->`; `<!-- not run from here: why -->` leaves out all up to `<!-- run from here -->`. Raises
    ValueError for any other comment before a block.
    """
    whole = _PART_NOT_RUN.sub(lambda part: "\n" * part[0].count("\n"), page.read_text())
    for block in _BLOCK.finditer(whole):
        mark = block["mark"] or ""
        if mark.startswith(_NOT_RUN):
            continue
        line = whole[: block.start("text")].count("\n") + 1
        if block["language"] == "python":
            yield Command(f"python - <<'#end'\n{block['text']}#end", line, _status(mark))
            continue
        for number, text in _typed(block["text"]):
            yield Command(text, line + number, _status(mark))


def _status(mark: str) -> int | None:
    if not mark:
        return 0
    if mark == _STOPPED:
        return None
    if match := _FAILS.fullmatch(mark):
        return int(match[1])
    raise ValueError(f"what does this comment before a console block mean: {mark!r}")


def _typed(block: str) -> Iterator[tuple[int, str]]:
    """What is typed of a block, without what is printed: a command goes on behind a backslash, in open quotes, and in
    a here-document.
    """
    lines = block.splitlines()
    at = 0
    while at < len(lines):
        first = at
        at += 1
        if not lines[first].startswith("$ "):
            continue
        text = lines[first][2:]
        while at < len(lines) and not _whole(text):
            text += "\n" + lines[at]
            at += 1
        yield first, text


def _whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    if opened := re.search(r"<<-?\s*['\"]?(\w+)", text):
        return re.search(rf"^{opened[1]}$", text, re.MULTILINE) is not None
    return subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode == 0


class Reader:
    """Types a page's commands into one shell, so that variables and the folder stay.

    What a command printed sets `$ID` (a session's id) and `$APPROVAL_ID`, which a reader copies.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._output = folder / "printed"
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # A variable that a page does not set is not nothing: a path below it would be one below the root.
        self._type("set -u")
        # Errors of HTTP count as errors of the command.
        self._type('curl() { command curl -sS --fail-with-body "$@"; }')

    def run(self, command: Command) -> tuple[int, str]:
        """Exit code and all that was printed."""
        text = command.text.replace("http://localhost:8000", self._url).replace("http://127.0.0.1:8000", self._url)
        text = text.replace("ws://localhost:8000", self._url.replace("http", "ws", 1)).replace(".venv/bin/", "")
        if command.status is None:
            (self._folder / "command.sh").write_text(text)
            text = f"timeout --kill-after=5 {_SHORT} bash command.sh < <(sleep {_SHORT})"
        stdin = "" if command.status is None else "</dev/null"
        status = int(self._type(f"{{ {text}\n}} >'{self._output}' 2>&1 {stdin}"))
        printed = self._output.read_text(errors="replace")
        self._copy(printed)
        return status, printed

    def _copy(self, printed: str) -> None:
        found = _document(printed)
        items = found.get("items")
        first = items[0] if isinstance(items, list) and items else {}
        if "status" in found and "id" in found:
            self._type(f"export ID={found['id']}")
        if "approval_id" in first:
            self._type(f"export APPROVAL_ID={first['approval_id']}")

    def _type(self, text: str) -> str:
        """Returns the exit code's text. Raises AssertionError when the shell has ended, or takes too long."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f'{text}\necho "#done $?"\n')
        self._shell.stdin.flush()
        limit = threading.Timer(_LIMIT, self._end_all)
        limit.start()
        try:
            for line in self._shell.stdout:
                if line.startswith("#done "):
                    return line.removeprefix("#done ").strip()
        finally:
            limit.cancel()
        raise AssertionError(f"the shell ended, or took more than {_LIMIT} s, at: {text}")

    def _end_all(self) -> None:
        """The shell with what it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)

    def close(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(_LIMIT)
        assert self._shell.stdout is not None
        self._shell.stdout.close()


def _document(printed: str) -> dict[str, Any]:
    try:
        found = json.loads(printed)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
