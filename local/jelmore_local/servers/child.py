"""A child process that ends with us, whatever ends us, and that is known to be gone before the next one is started."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from jelmore_local.servers.errors import StartError

_GUARD = Path(__file__).with_name("guard.py")
_POLL_S = 0.01
#: A log larger than this at a start makes way for a new one; one before it is kept.
_LARGEST_LOG = 8 * 2**20
#: How long what is left of an earlier start may take to end: PostgreSQL's last checkpoint is long on a slow disk.
LEFTOVER_LIMIT_S = 30.0
#: How long a start may take: recovery after a crash replays a log.
START_LIMIT_S = 120.0
STOP_LIMIT_S = 20.0


class EndedError(Exception):
    """The process ended before it was ready. `output`: what it printed."""

    def __init__(self, output: str) -> None:
        super().__init__("the process ended during its start")
        self.output = output


@dataclass(frozen=True)
class Owner:
    """The user to run as; our own unless said."""

    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)


def plain_environment() -> dict[str, str]:
    """What a server needs of our environment; credentials for the model, which may be there, are not for it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ", "LD_LIBRARY_PATH") if name in os.environ}
    # English messages, since some are recognised (errors.py).
    return {**kept, "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Command:
    """What to run. `lock`: a file that is locked as long as any process of it lives."""

    name: str
    argv: Sequence[str]
    folder: Path
    log: Path
    lock: Path
    end_signal: signal.Signals = signal.SIGTERM
    owner: Owner = field(default_factory=Owner)
    environment: Mapping[str, str] = field(default_factory=plain_environment)
    takes_input: bool = False


class Child:
    """One process, in a session of its own: the terminal's Ctrl-C does not reach it, so that we end things in order."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process, log_start: int) -> None:
        self._command = command
        self._process = process
        self._log_start = log_start

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Starts once nothing of an earlier start lives. Raises StartError if something does for too long; OSError."""
        async with _lock(command) as lock:
            with _open_log(command.log) as log:
                # Before the start: the child writes through the same descriptor, which moves on with it.
                log_start = log.seek(0, os.SEEK_END)
                process = await asyncio.create_subprocess_exec(
                    *guarded(command.argv, command.end_signal, command.owner),
                    cwd=command.folder,
                    env=command.environment,
                    stdin=asyncio.subprocess.PIPE if command.takes_input else asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(lock,),
                )
                child = cls(command, process, log_start)
            # Of one width, so that whoever reads never sees half of it.
            os.pwrite(lock, f"{process.pid:<10}".encode(), 0)
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        return await self._process.wait()

    def tell(self, text: str) -> None:
        """Writes all of its stdin. Only for a command that takes input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.close()

    async def ready(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """Waits until `probe` says so. Raises EndedError; StartError if it takes too long."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while not await probe():
                    if self._process.returncode is not None:
                        raise EndedError(self.output())
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StartError(
                f"{self._command.name} did not get ready within {START_LIMIT_S:.0f} s: see {self._command.log}"
                " for what it waits for, then start again."
            ) from None

    def output(self) -> str:
        """What this process has printed, at most the last 64 KiB."""
        with self._command.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - 2**16))
            return log.read().decode(errors="replace")

    async def stop(self) -> None:
        """Ends it cleanly, or after a limit by force."""
        # asyncio forgets the process once it was waited for, so that no stranger of the same pid is hit.
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self._command.end_signal)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        except asyncio.CancelledError:
            # Whoever waits for us is in a hurry.
            await self.kill()
            raise

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def guarded(argv: Sequence[str], end_signal: signal.Signals, owner: Owner) -> list[str]:
    """`argv` as a child that gets `end_signal` once the thread that started it, or its process, is gone."""
    numbers = (end_signal.value, os.getpid(), owner.uid, owner.gid)
    return [sys.executable, "-I", "-S", str(_GUARD), *map(str, numbers), *argv]


async def leftovers_gone(command: Command) -> None:
    """Returns once nothing of an earlier start lives. Raises StartError if something does for too long; OSError."""
    async with _lock(command):
        pass


@contextlib.asynccontextmanager
async def _lock(command: Command) -> AsyncIterator[int]:
    """A descriptor with the lock. Whoever inherits it holds on to the lock; the last one's end frees it."""
    lock = os.open(command.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LEFTOVER_LIMIT_S
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                pid = os.pread(lock, 10, 0).decode().strip()
                raise StartError(
                    f"{command.name} of an earlier start (process {pid}) is still running on {command.folder}:"
                    f" end it (kill {pid}), then start again."
                )
            await asyncio.sleep(_POLL_S)
        yield lock
    finally:
        os.close(lock)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_log(path: Path) -> BinaryIO:
    """To append to, at its end. Only the owner may read it."""
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.rename(path.with_suffix(".log.old"))
    path.touch(mode=0o600)
    return path.open("ab")
