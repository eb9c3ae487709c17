"""What /proc says of processes."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def memory_mib(pid: int, field: str) -> float | None:
    """`VmRSS`, or `Pss` (None where we may not look: the launcher is not dumpable)."""
    name = "status" if field == "VmRSS" else "smaps_rollup"
    try:
        text = (_PROC / str(pid) / name).read_text()
    except PermissionError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else None


def cpu_s(pid: int) -> float:
    """CPU seconds of all its threads, by the scheduler's own count: that is exact, `utime` comes in steps of 10 ms.

    0 for a process that has ended.
    """
    spent = 0
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def arguments(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def descendants(pid: int) -> Iterator[int]:
    """Depth first, without the process itself."""
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                for child in map(int, (task / "children").read_text().split()):
                    yield child
                    yield from descendants(child)
