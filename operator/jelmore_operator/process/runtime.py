"""The processes of sessions: observed, started, stopped, and found again by the next supervisor after this
one was killed.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from jelmore_contract.agent_config import SESSION_MARK
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.process.cloning import Cloning
from jelmore_operator.process.environment import for_session
from jelmore_operator.process.folder import Folder, Record, boot_id
from jelmore_operator.process.processes import (
    Process,
    find_by_argument,
    find_by_environment,
    kill_all,
    spawn,
)
from jelmore_operator.process.session_files import (
    config_file,
    digest,
    kept_workspace,
    session_credentials,
    workspace_of,
)
from jelmore_operator.process.settings import SupervisorSettings
from jelmore_operator.reconcile.backoff import WINDOW
from jelmore_operator.reconcile.observed import Runtime, SeenInput, SeenReport
from jelmore_operator.secret_files import write_secret

logger = logging.getLogger(__name__)

_ORPHAN_TIMEOUT = "600"  # seconds: a launcher without any agent for so long gives up


class SessionRuntime:
    """One session's processes and its folder. `on_exit` is called after the end of either process."""

    def __init__(self, key: SessionKey, settings: SupervisorSettings, on_exit: Callable[[], None]) -> None:
        self.key = key
        self.folder = Folder(settings.home / "sessions" / key.session_id)
        self._settings = settings
        self._on_exit = on_exit
        self._launcher: Process | None = None
        self._agent: Process | None = None
        self.cloning = Cloning(self.folder, settings, on_exit)
        self._mark = {SESSION_MARK: key.session_id}
        self._adopted = False  # the agent was started by another supervisor, with who knows what configuration
        self._known = self.folder.read_record()
        if self._known is not None:
            self._attach()

    @property
    def alive(self) -> bool:
        return _lives(self._launcher) or _lives(self._agent)

    @property
    def busy(self) -> bool:
        """Whether any process of the session is there, be it only one that clones."""
        return self.alive or self.cloning.running

    @property
    def _record(self) -> Record:
        return self._known or Record(boot_id(), self.key.namespace)

    def _attach(self) -> None:
        """Takes over what an earlier supervisor has left running."""
        record = self._record
        launcher = record.launcher or self.folder.launcher_identity()
        if launcher is not None:
            self._launcher = Process.attach(launcher, self._launcher_exited)
        if record.agent is not None:
            self._agent = Process.attach(record.agent, self._exited)
            self._adopted = self._agent is not None
        if self.alive:
            about = {"session": self.key.session_id, "namespace": self.key.namespace}
            logger.info("took over a session's processes", extra=about)

    def _launcher_exited(self) -> None:
        # One that ends by itself removes its file. One that was killed may not have told its agent to stop.
        if self.folder.launcher_pid.exists() and self._record.stopping_since is not None:
            self._save(msgspec.structs.replace(self._record, stopping_since=None))
        self._exited()

    def _exited(self) -> None:
        if not self.alive:
            self.folder.tidy()
        self._on_exit()

    def observe(self, resource: ClaudeSession) -> Runtime:
        record = self._record
        self.folder.bound_logs()
        config = config_file(resource, self._settings, self.folder)
        return Runtime(
            launcher=_lives(self._launcher),
            agent=_lives(self._agent),
            agent_stale=self._adopted or record.agent_config != digest(config),
            stopping_since=record.stopping_since,
            starts=tuple(record.starts),
            report_seq=record.report_seq,
            run_before=record.run_before,
            spooled=self.folder.spooled,
            logs=str(self.folder.logs),
        )

    async def start(self, resource: ClaudeSession, last: SeenReport | None, fresh: bool, now: datetime) -> None:
        """Launcher and agent, after all that is left of earlier ones is gone. `last`: the last report now.

        Raises OSError.
        """
        await self.kill()
        self.folder.create()
        self.folder.new_nonce()
        starts = [] if fresh else self._recent_starts(now)
        record = Record(boot_id(), self.key.namespace, starts=[*starts, now])
        if last is not None:
            record.report_seq, record.run_before = last.seq, last.report.run
        self._save(record)
        files = ["--socket", self.folder.socket, "--pid-file", self.folder.launcher_pid]
        files += ["--nonce-file", self.folder.nonce]
        arguments = [*map(str, files), "--orphan-timeout", _ORPHAN_TIMEOUT]
        identity = spawn(
            [*self._settings.programs.launcher, *arguments],
            {**for_session(), **self._settings.cli_environment, **self._mark},
            self.folder.launcher_log,
        )
        self._save(msgspec.structs.replace(self._record, launcher=identity))
        self._launcher = Process.attach(identity, self._launcher_exited)
        self._start_agent(resource)

    async def clone(self, resource: ClaudeSession, last_input: SeenInput | None, fresh: bool, now: datetime) -> None:
        """Raises OSError."""
        await self.kill()
        self.folder.create()
        # Also where no runtime is recorded yet: what is left of an attempt is to be found, and ended.
        self._save(self._record)
        await self.cloning.start(resource, last_input, fresh, now, self._mark)

    async def restart_agent(self, resource: ClaudeSession, crashed: bool, now: datetime) -> None:
        """Raises OSError."""
        if self._agent is not None:
            await self._agent.kill()
        if crashed:
            starts = [*self._recent_starts(now), now]
            self._save(msgspec.structs.replace(self._record, starts=starts))
        self._start_agent(resource)

    def _recent_starts(self, now: datetime) -> list[datetime]:
        return [start for start in self._record.starts if now - start < WINDOW]

    def _start_agent(self, resource: ClaudeSession) -> None:
        config = config_file(resource, self._settings, self.folder)
        write_secret(self.folder.nats_credentials, session_credentials(self.key, self._settings))
        write_secret(self.folder.agent_config, config.decode())
        argv = [*self._settings.programs.agent, str(self.folder.agent_config)]
        identity = spawn(argv, {**for_session(), **self._mark}, self.folder.agent_log)
        self._save(msgspec.structs.replace(self._record, agent=identity, agent_config=digest(config)))
        self._agent = Process.attach(identity, self._exited)
        self._adopted = False

    def stop(self, now: datetime) -> None:
        """Asks the launcher to end the CLI cleanly. Its end is seen later."""
        self._save(msgspec.structs.replace(self._record, stopping_since=now))
        if self._launcher is not None:
            self._launcher.send(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends the session's processes at once, with all that Claude has left running."""
        await self.cloning.kill()
        for process in (self._agent, self._launcher):
            if process is not None:
                await process.kill()
        if self._known is not None:
            # What Bash started may be in a session of its own, and outlives a launcher that was killed.
            while await asyncio.to_thread(self._kill_leftovers):
                pass
        self.folder.tidy()

    def _kill_leftovers(self) -> int:
        return kill_all(find_by_environment(SESSION_MARK, self.key.session_id))

    def detach(self) -> None:
        """Stops watching; the processes go on."""
        self.cloning.detach()
        for process in (self._agent, self._launcher):
            if process is not None:
                process.detach()

    def remove(self, resource: ClaudeSession) -> None:
        """The folder, with the workspace that was made here. A workspace of the user's own is never
        touched, wherever it is.
        """
        own = workspace_of(resource, self.folder) == self.folder.workspace
        if own or self.folder.path not in workspace_of(resource, self.folder).resolve().parents:
            self.folder.remove(keep_workspace=kept_workspace(resource, self.folder) is not None)

    def _save(self, record: Record) -> None:
        self._known = record
        self.folder.write_record(record)


def _lives(process: Process | None) -> bool:
    return process is not None and process.alive


def left_behind(home: Path) -> Iterator[SessionKey]:
    """The sessions that have a folder here."""
    sessions = home / "sessions"
    if not sessions.is_dir():
        return
    for path in sessions.iterdir():
        record = Folder(path).read_record()
        if record is not None:
            yield SessionKey(record.namespace, path.name)


def kill_unrecorded_agents(home: Path) -> None:
    """A supervisor that is killed right after it has started an agent has no record of it, and nobody else
    would ever end it.
    """
    recorded = {}
    for key in left_behind(home):
        folder = Folder(home / "sessions" / key.session_id)
        record = folder.read_record()
        recorded[str(folder.agent_config)] = record.agent if record else None
    stray = (
        identity
        for identity, argument in find_by_argument("/agent.json")
        if argument in recorded and recorded[argument] != identity
    )
    if count := kill_all(stray):
        logger.warning("ended agents that nobody had a record of", extra={"count": count})
