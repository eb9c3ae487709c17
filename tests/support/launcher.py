"""A real launcher process for a test, and what it takes to speak with it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

import jelmore_agent
from jelmore_agent.link.events import LinkEvent, Started
from jelmore_agent.link.launcher_link import LauncherLink

LAUNCHER = Path(jelmore_agent.__file__).parent / "launcher" / "__main__.py"
NONCE = "b6a1f0c2"


class LauncherProcess:
    """One launcher in its own folder. `run_cli` asks it for a stand-in for the CLI; its output is `spool(run)`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "agent.sock")
        self.pid_file = folder / "launcher.pid"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(
        self,
        *options: str,
        env: dict[str, str] | None = None,
        inherit: tuple[int, ...] = (),
        under: list[str] | None = None,
    ) -> None:
        """`inherit`: descriptors that it gets, `under`: the command that executes it."""
        self.start(["--pid-file", str(self.pid_file), *options], env or {}, inherit, under or [])

    def launch_as_init(self, *options: str) -> None:
        """As PID 1 of a PID namespace of its own, as it is in its container. Needs root."""
        self.start([*options], {}, (), ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])

    def start(self, options: list[str], env: dict[str, str], inherit: tuple[int, ...], under: list[str]) -> None:
        command = [*under, sys.executable, "-I", "-S", str(LAUNCHER), "--socket", self.socket]
        command += ["--min-free", "0", *options]
        with (self.folder / "launcher.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, "JELMORE_NONCE": NONCE, **env},
                pass_fds=inherit,
                start_new_session=True,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def serve(self, nonce: str = NONCE) -> AbstractAsyncContextManager[LauncherLink]:
        return LauncherLink.serve(self.socket, nonce)

    def spool(self, run: int) -> Path:
        return self.folder / f"run-{run}.jsonl"

    @contextmanager
    def open_spool(self, run: int) -> Iterator[int]:
        descriptor = os.open(self.spool(run), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def run_cli(self, link: LauncherLink, run: int, argv: list[str], env: dict[str, str | None] | None = None) -> None:
        with self.open_spool(run) as spool:
            link.start(run, argv, env or {}, str(self.folder), spool)

    async def exit_code(self, limit: float = 20) -> int:
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, limit)

    def log(self) -> str:
        return (self.folder / "launcher.log").read_text()

    def end(self) -> None:
        """Kills it with all that it started, whether the test came to its end or not."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            family = []
        for member in family:
            try:
                member.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self.process.wait(10)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LauncherProcess]:
    """Not running yet: the test launches it with its options."""
    launcher = LauncherProcess(tmp_path)
    yield launcher
    launcher.end()


@pytest.fixture
async def link(launcher: LauncherProcess) -> AsyncIterator[LauncherLink]:
    async with launcher.serve() as link:
        yield link


async def expect[Event: LinkEvent](link: LauncherLink, kind: type[Event], limit: float = 20) -> Event:
    """The next event of this kind; the ones before it are passed over."""
    async with asyncio.timeout(limit):
        async for event in link:
            if isinstance(event, kind):
                return event
    raise AssertionError("the link's events have no end")


async def started(launcher: LauncherProcess, link: LauncherLink, run: int, argv: list[str]) -> int:
    """Starts a stand-in for the CLI; its pid."""
    launcher.run_cli(link, run, argv)
    return (await expect(link, Started)).pid


async def until(condition: Callable[[], object], limit: float = 20) -> None:
    """Waits for something that nobody announces."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.005)


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program]
