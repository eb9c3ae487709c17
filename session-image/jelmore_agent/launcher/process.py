"""Processes as the launcher needs them: itself hardened, the CLI started, what the CLI leaves behind found.

Standard library only. `fork` rather than `posix_spawn`: the latter can neither change the folder nor bind the
CLI's life to the launcher's. The launcher has one thread, so that a forked child may run Python until it
executes the CLI.
"""

# pathlib would cost the launcher a megabyte.
# ruff: noqa: PTH208, PTH123

import ctypes
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

# <linux/prctl.h>
_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36

# <malloc.h>
_M_MMAP_THRESHOLD = -3
_LARGE = 256 * 1024  # bytes

_HANDLED = frozenset({signal.SIGTERM, signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP})
_IGNORED = signal.valid_signals() - _HANDLED
_REPORT = 3  # the child's descriptor on which a failure before exec is told

_libc = ctypes.CDLL(None, use_errno=True)


class Spawned(NamedTuple):
    """A started CLI. The descriptors are the launcher's ends, non-blocking."""

    pid: int
    stdin: int
    stderr: int


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def keep_small() -> None:
    """Memory of a long line goes back to the system as soon as it is free. glibc otherwise keeps, for the next one, as
    much as the longest ever took (seen: 29 MiB after lines of 9, 8, ... 1 MB, else 14); others have no such call.
    """
    if (mallopt := getattr(_libc, "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def harden() -> None:
    """Makes this process the one that its descendants' orphans fall to, that nobody of its uid may trace or
    read, and that minds SIGTERM and SIGCHLD only (signals.py; as PID 1 of a container it would still die of a signal
    that Python handles).
    """
    _prctl(_SET_CHILD_SUBREAPER, 1)
    _prctl(_SET_DUMPABLE, 0)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    while (spare := os.open(os.devnull, os.O_RDWR)) <= _REPORT:
        pass  # started without stdio: the numbers that the CLI's descriptors get must be taken
    os.close(spare)


def spawn(argv: Sequence[str], env: Mapping[bytes, bytes], cwd: str, stdout: int) -> Spawned:
    """Starts `argv` (its first word is a path) in a session of its own, with exactly the descriptors 0, 1 and
    2.

    Raises OSError, with what failed, when it cannot be executed.
    """
    parent = os.getpid()
    (child_in, stdin), (stderr, child_err), (report, child_report) = os.pipe(), os.pipe(), os.pipe()
    try:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _become(argv, env, cwd, (child_in, stdout, child_err, child_report), parent)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for descriptor in (child_in, child_err, child_report):
                os.close(descriptor)
        if failure := _read_all(report):
            os.waitpid(pid, 0)
            raise OSError(failure.decode(errors="replace"))
    except OSError:
        os.close(stdin)
        os.close(stderr)
        raise
    finally:
        os.close(report)
    os.set_blocking(stdin, False)
    os.set_blocking(stderr, False)
    return Spawned(pid, stdin, stderr)


def _become(
    argv: Sequence[str], env: Mapping[bytes, bytes], cwd: str, descriptors: tuple[int, ...], parent: int
) -> NoReturn:
    """The child's part, from fork to exec; it never returns."""
    try:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)  # ignored signals would stay so across exec
        os.setsid()
        # A launcher that is killed takes its CLI along: another would resume the transcript, which has no
        # lock.
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(127)
        for number_, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number_, inheritable=number_ != _REPORT)
        os.closerange(_REPORT + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir(cwd.encode())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(argv[0].encode(), [word.encode() for word in argv], env)  # noqa: S606 (no shell is the point)
    except BaseException as error:
        os.write(_REPORT, str(error).encode(errors="replace"))
    os._exit(127)


def _read_all(descriptor: int) -> bytes:
    parts = []
    while data := os.read(descriptor, 4096):
        parts.append(data)
    return b"".join(parts)


def reap() -> Iterator[tuple[int, int]]:
    """The (pid, wait status) of every child that has ended and was not asked for before."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def kill_children() -> bool:
    """Kills all children, whose own children then become ours; False when there was none, and so no
    descendant.

    Only children are killed, never deeper descendants: the number of an unreaped child cannot belong to
    another.
    """
    found = False
    me = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdecimal() and _parent(int(name)) == me:
            with suppress(PermissionError):  # a program with another's rights (sudo) is not ours to end
                os.kill(int(name), signal.SIGKILL)
                found = True
    return found


def _parent(pid: int) -> int | None:
    fields = stat_fields(pid)
    return int(fields[1]) if fields else None


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot: with its number, its identity. 0: there is none."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else 0


def stat_fields(pid: int) -> list[bytes]:
    """/proc/PID/stat from the third field (the state) on, as proc(5) has it; empty if there is no such
    process.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()
    except OSError:  # it has ended, or /proc does not show it to us
        return []
