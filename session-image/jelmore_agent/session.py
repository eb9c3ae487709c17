"""One session's life in its agent: take in what its disk, the log, the launcher and the workspace say; decide; act.

A thin shell around the pure parts: the fold tells what is (`fold.py`), steering what is to be done (`steering.py`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from jelmore_agent import facts, next_action, steering
from jelmore_agent.diffs import Maker
from jelmore_agent.journal import Journal, Listener
from jelmore_agent.link.events import Disk, LinkEvent, Refused, Written
from jelmore_agent.link.launcher_link import LauncherLink
from jelmore_agent.orders import Orders
from jelmore_agent.protocol import OWN_REQUEST
from jelmore_agent.publisher import Publisher
from jelmore_agent.view import View
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.commands import decode_command, query_input_id
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import now
from jelmore_contract.report import Cursor

logger = logging.getLogger(__name__)


class Surroundings(Listener, Protocol):
    """What a session needs of the process around it."""

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
        self._woken = asyncio.Event()
        # What is left to do once the log has everything.
        self._last: next_action.Finish | next_action.Leave | None = None
        self._leave_asked = False
        self._view = View()
        self._journal = Journal(config, publisher, surroundings, self.wake)
        self._orders = Orders(config, link, self._journal, self._view)
        self.fold = self._journal.fold
        self.diffs = self._journal.diffs

    def wake(self) -> None:
        self._woken.set()

    def published(self, cursor: Cursor) -> None:
        """Called by the publisher after everything that was stored."""
        self._journal.published(cursor)
        self.wake()

    async def restore(self, found: Callable[[dict[str, Any]], None]) -> None:
        """Folds what is on disk. `found` gets what the workspace's watcher found before, so that it goes on there."""
        await self._journal.restore(found)
        if self.fold.filed != self._config.live:
            self._journal.note(facts.ConfigTaken(now(), self._config.live), durable=True)
        query_id = query_input_id(self._config.session_id)
        if self._config.query is not None and query_id not in self.fold.inputs.states:
            self._journal.note(facts.QueryTaken(now(), query_id, self._config.query), durable=True)

    def leave(self) -> None:
        """Lets `run` return without an end of the session, unless one was asked for: another agent may go on."""
        self._leave_asked = True
        self.wake()

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
        self._journal.note(fact, durable=True)

    def changed(self, found: list[dict[str, Any]]) -> None:
        """What the workspace's watchers found."""
        for change in found:
            self._journal.note(facts.WorkspaceChanged(now(), self.fold.turn, change))

    def hear(self, said: LinkEvent) -> None:
        """What the launcher says."""
        self._view.hear(said, datetime.now(UTC))
        match said:
            case Refused(token=str(token)):
                if token in self.fold.inputs.contents:
                    self._view.in_flight.discard(token)
                logger.warning("the launcher did not write a line to run %d: %s", said.run, said.message)
            case Written():
                if said.run == self.fold.run and not said.token.startswith(OWN_REQUEST):
                    self._journal.note(facts.Written(now(), said.token))
            case Disk() if said.paused:
                self.problem(ErrorReason.DISK_FULL, "Claude Code is paused until there is room on the session's disk.")
        self.wake()

    def problem(self, reason: ErrorReason, message: str) -> None:
        self._journal.note(facts.Problem(now(), reason, message))

    async def run(self) -> None:
        """Returns once the session was ended as asked, or `leave` was called, and the log has everything."""
        while True:
            self._woken.clear()
            if await self._journal.read():
                continue
            if self._leave_asked and not self._view.leaving:
                await self._around.settle()
                self._view.leaving = True
            self._orders.tidy()
            wake_at = self._act()
            if (maker := self._around.diff_maker) is not None:
                self.diffs.start(maker)
            if self._over():
                if isinstance(self._last, next_action.Finish):
                    with contextlib.suppress(ConnectionError):
                        self._link.bye()
                return
            limit = None if wake_at is None else max(0.0, (wake_at - datetime.now(UTC)).total_seconds())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._woken.wait()

    def _over(self) -> bool:
        """Whether the end was decided and everything is told: the last turn's diff belongs to a session's end."""
        maker = self._around.diff_maker
        comparing = isinstance(self._last, next_action.Finish) and maker is not None and maker.busy
        return self._last is not None and self._publisher.empty and not comparing

    def _act(self) -> datetime | None:
        """Carries out what is decided. Returns when to look again if nothing happens before."""
        wake_at: datetime | None = None
        for action in list(steering.decide(self._config, self.fold, self._view, datetime.now(UTC))):
            match action:
                case next_action.Write() if self._held(action):
                    continue
                case next_action.WakeAt():
                    wake_at = min(wake_at or action.moment, action.moment)
                    continue
                case next_action.Finish() | next_action.Leave():
                    self._last = action
                    continue
                case next_action.Note():
                    if action.after_spool and not self._journal.read_to_end():
                        continue
                    self._journal.note(action.fact, durable=True)
                case _:
                    try:
                        self._orders.give(action)
                    except ConnectionError:
                        self._view.connection_lost(datetime.now(UTC))
            # What was decided rests on what was: decide again.
            self.wake()
            if isinstance(action, next_action.Note | next_action.Start):
                break
        return wake_at

    def _held(self, action: next_action.Write) -> bool:
        """No input is given before the session's start is stored: what it changes is told against that."""
        return self._around.diff_maker is None and action.token in self.fold.inputs.contents
