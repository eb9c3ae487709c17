"""Processes that outlive their parent: started, recognised again, watched and ended without ever mixing up
a reused number.

Every signal goes through a pidfd, which names one process for ever; waiting is the pidfd becoming readable,
for children and strangers alike.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec

# Python ignores these in itself; a child that inherited that would not notice a broken pipe.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Identity(msgspec.Struct, frozen=True):
    """One process among all that ever had its number. started: clock ticks from boot to its start
    (proc(5)).
    """

    pid: int
    started: int


def identify(pid: int) -> Identity | None:
    """None when there is no such process, or only what is left for its parent to collect."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()  # from the third field on; the second may hold anything
    return None if fields[0] in (b"Z", b"X") else Identity(pid, int(fields[19]))


def spawn(argv: list[str], environment: Mapping[str, str], log: Path) -> Identity:
    """Starts a program in a session of its own: no stdin, stdout and stderr appended to `log`. Raises
    OSError.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )
    # A child that has ended already is still there to be collected, so its start can be read.
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return Identity(pid, int(stat.rpartition(b")")[2].split()[19]))


class Process:
    """A live process, ours or found. `on_exit` is called once, from the event loop, after its end."""

    def __init__(self, identity: Identity, pidfd: int, on_exit: Callable[[], None]) -> None:
        self.identity = identity
        self._pidfd = pidfd
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._loop.add_reader(pidfd, self._exited)

    @classmethod
    def attach(cls, identity: Identity, on_exit: Callable[[], None]) -> Self | None:
        """None when it has ended, even if its number belongs to another process now. Needs a running event
        loop.
        """
        try:
            pidfd = os.pidfd_open(identity.pid)
        except OSError:
            return None
        # Looked at after the descriptor was opened: what is there now is what the descriptor names.
        if identify(identity.pid) != identity:
            _collect(pidfd)
            os.close(pidfd)
            return None
        return cls(identity, pidfd, on_exit)

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def send(self, number: signal.Signals) -> None:
        """Does nothing to one that has ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> None:
        await self._ended.wait()

    async def kill(self) -> None:
        self.send(signal.SIGKILL)
        await self.wait()

    def detach(self) -> None:
        """Stops watching; the process goes on."""
        if self.alive:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._ended.set()

    def _exited(self) -> None:
        _collect(self._pidfd)
        self.detach()
        self._on_exit()


def _collect(pidfd: int) -> None:
    """Takes the exit status of a child, so that it does not stay as a zombie; strangers have other parents."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)


def find_by_argument(argument: str) -> Iterator[tuple[Identity, str]]:
    """Every process with an argument that ends in `argument`'s text, with that argument whole."""
    wanted = os.fsencode(argument)
    for pid, text in _each("cmdline"):
        for word in text.split(b"\0"):
            if word.endswith(wanted) and (found := identify(pid)) is not None:
                yield found, os.fsdecode(word)
                break


def find_by_environment(name: str, value: str) -> Iterator[Identity]:
    """Every process that was started with this variable, as far as this user may look."""
    wanted = os.fsencode(f"{name}={value}")
    for pid, text in _each("environ"):
        if wanted in text.split(b"\0") and (found := identify(pid)) is not None:
            yield found


def _each(file: str) -> Iterator[tuple[int, bytes]]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each of thousands costs more than the reading
        if name.isdecimal() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                yield int(name), Path("/proc", name, file).read_bytes()


def kill_all(found: Iterator[Identity]) -> int:
    """Kills what was found, without waiting. Returns how many there were."""
    count = 0
    for identity in found:
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(identity.pid)
            try:
                if identify(identity.pid) == identity:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    count += 1
            finally:
                os.close(pidfd)
    return count
