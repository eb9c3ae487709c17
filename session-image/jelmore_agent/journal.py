"""One session's disk, taken in once and in order: read, fold, hand on to the publisher.

There is one way in: everything that is on the disk is folded first, whether the agent is new, was killed or was
upgraded.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from jelmore_agent import facts
from jelmore_agent.diffs import Diffs
from jelmore_agent.fold import Emitted, Fold
from jelmore_agent.messages import Item
from jelmore_agent.publisher import Publisher
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
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.events import now
from jelmore_contract.report import ORIGIN, Cursor

# Lines that are folded before other tasks of the agent get their turn.
_LINES_AT_ONCE = 200
# In the line that ends a turn, wherever among its keys. Inside of a text the quotes would be escaped.
_RESULT = b'"type":"result"'


class Listener(Protocol):
    """What a journal needs of the process around it."""

    async def settle(self) -> None:
        """Waits until the changes of the workspace that happened before are noted."""

    def live(self, line: bytes) -> None:
        """Sends a partial message to those who watch."""

    def follow(self, spool: Path) -> None:
        """Wakes the session whenever this file grows, from now on instead of the one before."""


class Journal:
    """`wake` is called after every change of the fold that was not read from the spool."""

    def __init__(self, config: AgentConfig, publisher: Publisher, listener: Listener, wake: Callable[[], None]) -> None:
        self._config = config
        self._folder = Path(config.folder)
        self._publisher = publisher
        self._listener = listener
        self._wake = wake
        self._restoring = True
        self._room = asyncio.Event()
        self.fold = Fold(config.session_id)
        self.diffs = Diffs(self._folder, self.fold, self.note)
        self._published = Hint(self._folder)
        self._skip_to = self._published.read()
        publisher.known = self._skip_to or ORIGIN
        self._open(max(last_run(self._folder), 1))

    def _open(self, run: int) -> None:
        self._facts = FactsLog(self._folder, run)
        self._reader = SpoolReader(self._folder, run)
        self._listener.follow(spool_path(self._folder, run))

    def published(self, cursor: Cursor) -> None:
        """Called by the publisher after everything that was stored."""
        self._published.write(cursor)
        self.diffs.published(cursor)
        self._room.set()

    async def restore(self, found: Callable[[dict[str, Any]], None]) -> None:
        """Folds what is on disk. `found` gets what the workspace's watcher found before, so that it goes on there."""
        for run in range(1, self._reader.run):
            reader, log = SpoolReader(self._folder, run), FactsLog(self._folder, run)
            await self._restore_run(reader, log, found)
            reader.close()
            log.close()
        await self._restore_run(self._reader, self._facts, found)
        self._restoring = False

    async def _restore_run(self, reader: SpoolReader, log: FactsLog, found: Callable[[dict[str, Any]], None]) -> None:
        for number, record in enumerate(stored_records(reader, log)):
            if not isinstance(record, LineRecord) and isinstance(record.fact, facts.WorkspaceChanged):
                found(record.fact.found)
            self._take(record)
            if number % _LINES_AT_ONCE == 0:
                await self._pause()

    async def _pause(self) -> None:
        """Waits until the publisher takes more; lets other tasks run in any case."""
        await asyncio.sleep(0)
        while self._publisher.full:
            self._room.clear()
            await self._room.wait()

    def begin(self, run: int, resume: str | None) -> None:
        """Notes the start of a run, in files of its own. `resume`: the conversation that it goes on with."""
        if self._reader.run != run:
            self._reader.close()
            self._facts.close()
            self._open(run)
        live = self.fold.live or self._config.live
        self.note(facts.RunStarted(now(), run, resume, self._config.workspace, live.budget_usd), durable=True)

    def open_for_cli(self, run: int) -> int:
        """A descriptor of the run's spool that only appends: the CLI's stdout. The caller closes it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(spool_path(self._folder, run), flags, 0o600)

    def note(self, fact: facts.Fact, durable: bool = False) -> None:
        """Writes a fact down and takes it in. Raises OSError where the disk refuses it: then nothing was taken in."""
        if self._restoring:
            raise RuntimeError(f"{type(fact).__name__} was noted before the disk was read: it has no place yet")
        # A run's start comes before all that its CLI prints; `fold.offset` is still the end of the run before.
        at = 0 if isinstance(fact, facts.RunStarted) else self.fold.offset
        self._take(self._facts.append(at, fact, durable))
        self._wake()

    async def read(self) -> bool:
        """Folds what the CLI printed. True: there is more to read at once. While the publisher is full the rest waits
        on disk.
        """
        for number, record in enumerate(self._reader.read()):
            if _RESULT in record.line:
                await self._listener.settle()
            self._take(record)
            if self._publisher.full:
                return False
            if number >= _LINES_AT_ONCE:
                await asyncio.sleep(0)
                return True
        return False

    def read_to_end(self) -> bool:
        """Folds the last of a run whose CLI is gone, a torn last line, too. False: the publisher has no room now."""
        if self._publisher.full:
            return False
        for record in self._reader.read():
            self._take(record)
        if (torn := self._reader.rest()) is not None:
            self._take(torn)
        return True

    def _take(self, record: Record) -> None:
        """Folds one record and hands on what it leads to."""
        emitted = self.fold.apply(record)
        if emitted.live is not None:
            if not self._restoring:
                self._listener.live(emitted.live)
            return
        diff = record.fact if not isinstance(record, LineRecord) and isinstance(record.fact, facts.DiffMade) else None
        if self._skip_to is not None:
            if emitted.cursor <= self._skip_to:
                if diff is not None:
                    self.diffs.forget(diff)
                return
            self._skip_to = None
            self._publisher.base(self.fold.report(emitted.cursor))
        if diff is not None:
            emitted = self.diffs.complete(diff, emitted)
        stamp = now() if isinstance(record, LineRecord) else record.fact.time
        self._hand_on(emitted, stamp)

    def _hand_on(self, emitted: Emitted, stamp: str) -> None:
        report = self.fold.report(emitted.cursor) if emitted.changed else None
        if not emitted.events and report is not None:
            self._publisher.put(Item(emitted.cursor, stamp, None, report))
        for event in emitted.events:
            last = event is emitted.events[-1]
            self._publisher.put(Item(event.cursor, stamp, event, report if last else None))
