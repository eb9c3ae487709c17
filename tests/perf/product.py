"""The product, running: `jelmore up` in a process of its own, on a fresh data folder."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.processes import kill_all_of
from tests.support.up import Up

_LIMIT_S = 120.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Outside of the checkout; gone at the end, and with it whatever still runs in it."""
    folder = Path(tempfile.mkdtemp(prefix="jelmore-bench-"))
    try:
        yield folder
    finally:
        kill_all_of(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path, extra: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Stopped at the end."""
    up = Up(folder / "home", free_port(), extra or {})
    up.start()
    try:
        yield up
    finally:
        up.stop()


def with_stand_in(folder: Path) -> dict[str, str]:
    """An environment in which the product finds `stand_in_cli.py` where the SDK's wheel has the CLI."""
    package = folder / "stand-in" / "claude_agent_sdk"
    (package / "_bundled").mkdir(parents=True)
    (package / "__init__.py").touch()
    program = package / "_bundled" / "claude"
    program.write_text(f"#!{sys.executable} -IS\n" + Path(__file__).with_name("stand_in_cli.py").read_text())
    program.chmod(0o755)
    return {"PYTHONPATH": str(package.parent)}


class Session:
    """One session, over HTTP."""

    def __init__(self, up: Up, **spec: object) -> None:
        self._up = up
        self.id: str = up.call("POST", "/api/v1/session", spec)["id"]

    def send(self, text: str) -> None:
        self._up.call("POST", f"/api/v1/session/{self.id}/input", {"text": text})

    def view(self) -> dict[str, object]:
        found: dict[str, object] = self._up.call("GET", f"/api/v1/session/{self.id}")
        return found

    def idle(self, turns: int = 0) -> None:
        """Waits until it is, after so many turns. Raises TimeoutError."""
        try:
            wait_until(lambda: self._is_idle(turns), f"it is not idle after {turns} turns")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.view()}") from None

    def _is_idle(self, turns: int) -> bool:
        seen = self.view()
        usage = seen.get("usage")
        done = usage.get("turns", 0) if isinstance(usage, dict) else 0
        return seen["status"] == "idle" and done >= turns

    def pid(self, part: str) -> int:
        """Of its `launcher` or `agent`."""
        record = json.loads((self._up.home / "sessions" / self.id / "runtime.json").read_bytes())
        return int(record[part]["pid"])


def wait_until(condition: Callable[[], bool], what_is_wrong: str) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what_is_wrong)
        time.sleep(0.1)
