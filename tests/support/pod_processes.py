"""Pods of the test cluster from outside, as its node sees them."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def processes_of_pod(uid: str) -> Iterator[tuple[int, str]]:
    """Number and arguments of each process in a pod, by the cgroup that the kubelet named after its uid."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if f"pod{uid}" in (entry / "cgroup").read_text():
                    yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def kill_in_pod(uid: str, pattern: str) -> int:
    """Kills those whose arguments have the pattern, as the kernel would for want of memory. How many there were."""
    found = [pid for pid, arguments in processes_of_pod(uid) if pattern in arguments]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):  # one may go by itself as soon as another has
            os.kill(pid, signal.SIGKILL)
    return len(found)
