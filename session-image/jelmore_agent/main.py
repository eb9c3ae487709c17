"""The agent's process: `python -m jelmore_agent.main [--drain] CONFIG`. It may be killed at any moment and is simply
started again. A session is ended through its launcher.

SIGTERM ends it at once (an upgrade or a restart: the CLI goes on in its launcher). With `--drain` it first publishes
what is on disk, however long that takes: for a pod, whose sidecar ends last and where `parent.py` sets the limit.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

if __name__ == "__main__":
    # nats-py loads aiohttp where it is installed, for a transport that is not used here: 10 MiB a session.
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # what makes an import fail

import uvloop
from nats.aio.client import Client

from jelmore_agent import bus, stderr_log
from jelmore_agent.commands import Commands
from jelmore_agent.diff.job import Result
from jelmore_agent.diff.maker import NO_GIT, DiffMaker
from jelmore_agent.diffs import Maker
from jelmore_agent.link.launcher_link import LauncherLink
from jelmore_agent.publisher import Publisher
from jelmore_agent.session import Session
from jelmore_agent.spool_watch import SpoolWatch
from jelmore_agent.workspace.inotify import Inotify
from jelmore_agent.workspace.watcher import WorkspaceWatcher
from jelmore_contract.agent_config import AgentConfig, left_aside, read_config
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import LIVE_OUTPUT, encode_event, now
from jelmore_contract.subjects import live_subject, session_key

logger = logging.getLogger("jelmore_agent")

# Changes of the workspace are waited for at most this long (seconds) before a turn's result is told.
_SETTLE_LIMIT = 1.0
_LOCK_RETRY = 0.1


class Agent:
    """Wires the parts of one session together, and is what the session needs around it."""

    def __init__(self, config: AgentConfig, link: LauncherLink) -> None:
        self._config = config
        self._client: Client | None = None
        self._inotify = Inotify()
        self._spool = SpoolWatch(self._inotify, lambda: self._session.wake())
        self._publisher = Publisher(
            session_key(config.namespace, config.session_id), lambda cursor: self._session.published(cursor)
        )
        self._session = Session(config, self._publisher, link, self)
        self._commands = Commands(session_key(config.namespace, config.session_id), self._session.command)
        self._watcher = WorkspaceWatcher(
            Path(config.workspace),
            self._inotify,
            self._session.changed,
            lambda message: self._session.problem(ErrorReason.WORKSPACE, message),
        )
        self._diff = DiffMaker(config.workspace, Path(config.folder), self._compared)
        self._restored = asyncio.Event()
        self._start_stored = False
        self._link = link
        self._live = live_subject(session_key(config.namespace, config.session_id))

    def leave(self) -> None:
        """Lets `run` return as soon as the log has what is on disk."""
        self._session.leave()

    async def run(self) -> None:
        """Until the session is ended as asked, or `leave` was called, and the log has everything."""
        helpers = [asyncio.create_task(self._serve_bus())]
        main = asyncio.create_task(self._serve_session())
        # Any part that fails is a defect or a broken disk: the process ends, and a new one starts from what is stored.
        await asyncio.wait([main, *helpers], return_when=asyncio.FIRST_COMPLETED)
        for task in (*helpers, main):
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(main, *helpers, return_exceptions=True)

    async def _serve_session(self) -> None:
        await self._session.restore(self._watcher.restore)
        self._restored.set()
        await self._watcher.start()
        hearing = asyncio.create_task(self._hear())
        storing = asyncio.create_task(self._store_start())
        try:
            await self._session.run()
        finally:
            hearing.cancel()
            storing.cancel()
            await self._diff.close()
            await self._watcher.close()
            self._spool.close()
            self._inotify.close()

    async def _hear(self) -> None:
        async for said in self._link:
            self._session.hear(said)

    async def _serve_bus(self) -> None:
        self._client = await bus.connect(self._config, self._commands.connection_renewed)
        async with asyncio.TaskGroup() as tasks:
            # What is on disk is published while it is read; what comes new has its place behind it.
            tasks.create_task(self._publisher.run(self._client))
            await self._restored.wait()
            tasks.create_task(self._commands.run(self._client))

    async def _store_start(self) -> None:
        """What the first input changes is told against the workspace as it is now."""
        if not self._diff.available and NO_GIT not in self._session.fold.told:
            self._session.problem(ErrorReason.DIFF, NO_GIT)
        try:
            await self._diff.store_start()
        finally:
            self._start_stored = True
            self._session.wake()

    @property
    def diff_maker(self) -> Maker | None:
        return self._diff if self._start_stored else None

    def _compared(self, patch: str, result: Result) -> None:
        self._session.diffs.made(patch, result)

    async def settle(self) -> None:
        await self._watcher.settle(_SETTLE_LIMIT)

    def live(self, line: bytes) -> None:
        if self._client is not None and self._client.is_connected:
            data = encode_event(uuid4().hex, LIVE_OUTPUT, self._config.session_id, now(), line)
            task = asyncio.ensure_future(self._client.publish(self._live, data))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def follow(self, spool: Path) -> None:
        self._spool.follow(spool)


async def _locked(folder: Path) -> None:
    """Waits until no other agent has this session's folder; the lock goes with the process."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            logger.info("another agent still has this session")
            await asyncio.sleep(_LOCK_RETRY)


async def serve(config: AgentConfig, drain: bool) -> None:
    os.umask(0o077)
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    await _locked(folder)
    nonce = Path(config.nonce_file).read_text(encoding="ascii").strip()
    async with LauncherLink.serve(config.socket, nonce, config.socket_mode) as link:
        agent = Agent(config, link)
        if drain:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, agent.leave)
        await agent.run()


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def main() -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    drain, arguments = sys.argv[1:2] == ["--drain"], [word for word in sys.argv[1:] if word != "--drain"]
    if len(arguments) != 1:
        print("usage: python -m jelmore_agent.main [--drain] CONFIG", file=sys.stderr)
        return 2
    try:
        text = Path(arguments[0]).read_bytes()
        config = read_config(text)
    except (OSError, ValueError) as error:
        print(f"jelmore agent: {error}", file=sys.stderr)
        return 2
    if unknown := left_aside(text):
        stderr_log.log("agent", "settings of a newer release left aside", names=unknown)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(config, drain))
    return 0


if __name__ == "__main__":
    sys.exit(main())
