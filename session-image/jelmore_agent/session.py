"""One session's life in its agent: read the spool, fold, publish; decide, act. A thin shell around the pure parts.

There is one way in: everything that is on the session's disk is folded first, whether the agent is new, was killed or
was upgraded.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from jelmore_agent import cli, facts, next_action, steering
from jelmore_agent.diffs import Diffs, Maker
from jelmore_agent.fold import Emitted, Fold
from jelmore_agent.link.events import Disconnected, Disk, Exited, Hello, LinkEvent, Refused, Started, Stopping, Written
from jelmore_agent.link.launcher_link import LauncherLink
from jelmore_agent.protocol import OWN_REQUEST
from jelmore_agent.publisher import Item, Publisher
from jelmore_agent.spool import (
    FactsLog,
    Hint,
    LineRecord,
    Record,
    SpoolReader,
    last_run,
    spool_path,
    stored_records,
)
from jelmore_agent.steering import Exit, View
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.commands import decode_command, query_input_id
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import now
from jelmore_contract.report import ORIGIN, Cursor

logger = logging.getLogger(__name__)

# Lines that are folded before other tasks of the agent get their turn.
_LINES_AT_ONCE = 200
# In the line that ends a turn, wherever among its keys. Inside of a text the quotes would be escaped.
_RESULT = b'"type":"result"'


class Surroundings(Protocol):
    """What a session needs of the process around it."""

    async def settle(self) -> None:
        """Waits until the changes of the workspace that happened before are noted."""

    def live(self, line: bytes) -> None:
        """Sends a partial message to those who watch."""

    def follow(self, spool: Path) -> None:
        """Wakes the session whenever this file grows, from now on instead of the one before."""

    @property
    def diff_maker(self) -> Maker | None:
        """What compares the workspace with the session's start, once that is stored."""


class Session:
    """Fed by `changed`, `command` and `hear`; `run` does the work."""

    def __init__(
        self, config: AgentConfig, publisher: Publisher, link: LauncherLink, surroundings: Surroundings
    ) -> None:
        self._config = config
        self._publisher = publisher
        self._link = link
        self._around = surroundings
        self._folder = Path(config.folder)
        self._woken = asyncio.Event()
        self._last: next_action.Finish | next_action.Leave | None = (
            None  # what is left to do once the log has everything
        )
        self._leave_asked = False
        self._restoring = True
        self.fold = Fold(config.session_id)
        self.view = View()
        self.diffs = Diffs(self._folder, self.fold, self.note)
        self._published = Hint(self._folder)
        self._skip_to = self._published.read()
        self._publisher.known = self._skip_to or ORIGIN
        self._open(max(last_run(self._folder), 1))

    def _open(self, run: int) -> None:
        self._facts = FactsLog(self._folder, run)
        self._reader = SpoolReader(self._folder, run)
        self._around.follow(spool_path(self._folder, run))

    def wake(self) -> None:
        self._woken.set()

    def published(self, cursor: Cursor) -> None:
        """Called by the publisher after everything that was stored."""
        self._published.write(cursor)
        self.diffs.published(cursor)
        self._woken.set()

    async def restore(self, found: Callable[[dict[str, Any]], None]) -> None:
        """Folds what is on disk. `found` gets what the workspace's watcher found before, so that it goes on there."""
        latest = self._reader.run
        for run in range(1, latest + 1):
            reader, log = (
                (self._reader, self._facts)
                if run == latest
                else (SpoolReader(self._folder, run), FactsLog(self._folder, run))
            )
            for number, record in enumerate(stored_records(reader, log)):
                if not isinstance(record, LineRecord) and isinstance(record.fact, facts.WorkspaceChanged):
                    found(record.fact.found)
                self._take(record)
                if number % _LINES_AT_ONCE == 0:
                    await self._room()
            if run != latest:
                reader.close()
                log.close()
        self._restoring = False
        if self.fold.filed != self._config.live:
            self.note(facts.ConfigTaken(now(), self._config.live), durable=True)
        query_id = query_input_id(self._config.session_id)
        if self._config.query is not None and query_id not in self.fold.inputs.states:
            self.note(facts.QueryTaken(now(), query_id, self._config.query), durable=True)

    async def _room(self) -> None:
        """Waits until the publisher takes more; lets other tasks run in any case."""
        await asyncio.sleep(0)
        while self._publisher.full:
            self._woken.clear()
            await self._woken.wait()

    def leave(self) -> None:
        """Lets `run` return without an end of the session, unless one was asked for: another agent may go on."""
        self._leave_asked = True
        self.wake()

    async def run(self) -> None:
        """Returns once the session was ended as asked, or `leave` was called, and the log has everything."""
        while True:
            self._woken.clear()
            if await self._read():
                continue
            if self._leave_asked and not self.view.leaving:
                await self._around.settle()
                self.view.leaving = True
            wake_at = self._act()
            if (maker := self._around.diff_maker) is not None:
                self.diffs.start(maker)
                if isinstance(self._last, next_action.Finish) and maker.busy:
                    await self._woken.wait()
                    continue
            if self._last is not None and self._publisher.empty:
                if isinstance(self._last, next_action.Finish):
                    with contextlib.suppress(ConnectionError):
                        self._link.bye()
                return
            limit = None if wake_at is None else max(0.0, (wake_at - datetime.now(UTC)).total_seconds())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._woken.wait()

    def note(self, fact: facts.Fact, durable: bool = False) -> None:
        """Writes a fact down and takes it in. Raises OSError where the disk refuses it: then nothing was taken in."""
        # A run's start comes before all that its CLI prints; `fold.offset` is still the end of the run before.
        at = 0 if isinstance(fact, facts.RunStarted) else self.fold.offset
        self._take(self._facts.append(at, fact, durable))
        self._woken.set()

    def command(self, seq: int, kind: str, body: bytes) -> None:
        """A command of the log. One that was noted before is not taken again."""
        if seq <= self.fold.command_seq:
            return
        try:
            envelope, command = decode_command(kind, body)
            if envelope.session_id != self._config.session_id:
                raise ValueError(f"it is for session {envelope.session_id}")
            fact = facts.CommandTaken(now(), seq, kind, msgspec.to_builtins(command))
        except ValueError as error:
            fact = facts.CommandTaken(now(), seq, kind, {}, problem=f"A command {kind!r} was refused: {error}")
        self.note(fact, durable=True)

    def changed(self, found: list[dict[str, Any]]) -> None:
        """What the workspace's watchers found."""
        for change in found:
            self.note(facts.WorkspaceChanged(now(), self.fold.turn, change))

    def hear(self, said: LinkEvent) -> None:
        """What the launcher says."""
        view = self.view
        match said:
            case Hello():
                view.connection_lost(datetime.now(UTC))
                view.connected, view.running = True, said.run.number if said.run else None
                view.exits = {seen.run: Exit(seen.run, seen.code, seen.signal, seen.stderr) for seen in said.exits}
                view.fresh = not said.last_run
                self._stopping(said.stopping)
            case Disconnected():
                view.connection_lost(datetime.now(UTC))
            case Started():
                view.running = said.run
            case Refused(token=None):
                view.refused[said.run] = said.message
            case Refused():
                self._refused_line(said)
            case Exited():
                view.running = None
                view.exits[said.run] = Exit(said.run, said.code, said.signal, said.stderr)
            case Written():
                if said.run == self.fold.run and not said.token.startswith(OWN_REQUEST):
                    self.note(facts.Written(now(), said.token))
            case Stopping():
                self._stopping(True)
            case Disk() if said.paused:
                self.problem(ErrorReason.DISK_FULL, "Claude Code is paused until there is room on the session's disk.")
        self.wake()

    def _stopping(self, stopping: bool) -> None:
        if not stopping:
            self.view.stopping_since = None
        elif self.view.stopping_since is None:
            self.view.stopping_since = datetime.now(UTC)

    def _refused_line(self, said: Refused) -> None:
        if said.token in self.fold.inputs.contents:
            self.view.in_flight.discard(said.token)
        logger.warning("the launcher did not write a line to run %d: %s", said.run, said.message)

    def problem(self, reason: ErrorReason, message: str) -> None:
        self.note(facts.Problem(now(), reason, message))

    def _take(self, record: Record) -> None:
        """Folds one record and hands on what it leads to."""
        emitted = self.fold.apply(record)
        if emitted.live is not None:
            if not self._restoring:
                self._around.live(emitted.live)
            return
        if self._skip_to is not None:
            if emitted.cursor <= self._skip_to:
                if not isinstance(record, LineRecord) and isinstance(record.fact, facts.DiffMade):
                    self.diffs.forget(record.fact)
                return
            self._skip_to = None
            self._publisher.base(self.fold.report(emitted.cursor))
        if not isinstance(record, LineRecord) and isinstance(record.fact, facts.DiffMade):
            emitted = self._with_patch(emitted, record.fact)
        stamp = now() if isinstance(record, LineRecord) else record.fact.time
        self._hand_on(emitted, stamp)

    def _with_patch(self, emitted: Emitted, fact: facts.DiffMade) -> Emitted:
        if not emitted.events:
            self.diffs.forget(fact)
        return emitted._replace(events=[self.diffs.whole(fact, event) for event in emitted.events])

    def _hand_on(self, emitted: Emitted, stamp: str) -> None:
        report = self.fold.report(emitted.cursor) if emitted.changed else None
        if not emitted.events and report is not None:
            self._publisher.put(Item(emitted.cursor, stamp, None, report))
        for event in emitted.events:
            last = event is emitted.events[-1]
            self._publisher.put(Item(event.cursor, stamp, event, report if last else None))

    async def _read(self) -> bool:
        """Folds what the CLI printed. True: there is more to read at once. While the publisher is full the rest waits
        on disk.
        """
        for number, record in enumerate(self._reader.read()):
            if _RESULT in record.line:
                await self._around.settle()
            self._take(record)
            if self._publisher.full:
                return False
            if number >= _LINES_AT_ONCE:
                await asyncio.sleep(0)
                return True
        return False

    def _act(self) -> datetime | None:
        """Carries out what is decided. Returns when to look again if nothing happens before."""
        wake_at: datetime | None = None
        for action in list(steering.decide(self._config, self.fold, self.view, datetime.now(UTC))):
            match action:
                case next_action.Write() if (
                    self._around.diff_maker is None and action.token in self.fold.inputs.contents
                ):
                    continue  # what Claude is to change is not stored yet
                case next_action.WakeAt():
                    wake_at = min(wake_at or action.moment, action.moment)
                    continue
                case next_action.Finish() | next_action.Leave():
                    self._last = action
                    continue
                case next_action.Note():
                    if not self._noted(action):
                        continue
                case _:
                    try:
                        self._tell_launcher(action)
                    except ConnectionError:
                        self.view.connection_lost(datetime.now(UTC))
            # What was decided rests on what was: decide again.
            self._woken.set()
            if isinstance(action, next_action.Note | next_action.Start):
                break
        return wake_at

    def _held(self, action: next_action.Write) -> bool:
        """No input is given before the session's start is stored: what it changes is told against that."""
        return self._around.diff_maker is None and action.token in self.fold.inputs.contents

    def _noted(self, action: next_action.Note) -> bool:
        if action.after_spool:
            if self._publisher.full:
                return False
            for record in self._reader.read():
                self._take(record)
            if (torn := self._reader.rest()) is not None:
                self._take(torn)
        self.note(action.fact, durable=True)
        return True

    def _tell_launcher(self, action: next_action.Action) -> None:
        view, run = self.view, self.fold.run
        match action:
            case next_action.Start():
                self._start(action)
            case next_action.Write():
                self._link.write(run, action.token, action.line)
                view.in_flight.add(action.token)
            case next_action.CloseStdin():
                self._link.close_stdin(run)
                view.closed_since = datetime.now(UTC)
            case next_action.Signal():
                self._link.signal(run, action.number)
                view.signalled = action.number
            case next_action.Confirm():
                self._link.confirm(action.run)
                view.exits.pop(action.run, None)

    def _start(self, action: next_action.Start) -> None:
        resume, live = cli.conversation(self._config, self.fold), self.fold.live or self._config.live
        if not action.again:
            if self._reader.run != action.run:
                self._reader.close()
                self._facts.close()
                self._open(action.run)
            started = facts.RunStarted(now(), action.run, resume, self._config.workspace, live.budget_usd)
            self.note(started, durable=True)
        fd = os.open(spool_path(self._folder, action.run), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            argv = cli.arguments(self._config, self.fold, resume)
            self.view.starting, self.view.fresh = action.run, False
            self.view.in_flight.clear()
            self.view.closed_since, self.view.signalled = None, None
            environment = cli.environment(live, self._config, resume)
            self._link.start(action.run, argv, environment, self._config.workspace, fd)
        finally:
            os.close(fd)
