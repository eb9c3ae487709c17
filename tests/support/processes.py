"""Which processes belong to a data folder, found as a person would: by what /proc says."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

_LIMIT_S = 30.0


def processes_of(folder: Path) -> set[int]:
    """Those that work below the folder, or have it in their arguments or environment. Not this process."""
    marker = os.fsencode(folder)
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid() and _mentions(entry, marker):
            found.add(int(entry.name))
    return found


def _mentions(entry: Path, marker: bytes) -> bool:
    # A process that has ended has none of it.
    with contextlib.suppress(OSError):
        if os.fsencode((entry / "cwd").readlink()).startswith(marker):
            return True
        return any(marker in (entry / name).read_bytes() for name in ("cmdline", "environ"))
    return False


def arguments_of(pid: int) -> str:
    """Nothing for a process that has ended."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        return ""


def kill_all_of(folder: Path) -> None:
    """All at once, as a crash of the machine would: none of them gets to see that another is gone."""
    found = processes_of(folder)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


async def eventually(condition: Callable[[], Awaitable[bool]], limit_s: float = _LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)


def wait_for(condition: Callable[[], bool], limit_s: float = _LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.02)
