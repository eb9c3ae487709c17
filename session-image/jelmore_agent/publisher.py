"""Publishing: the fold's events into the log, in order, each once, whatever dies or is cut in between.

One publication is in flight at a time, and each is conditional on the last sequence of a subject that only this
session's agent writes (the report's, and session.output's), so that a zombie is refused. After any error or time-out
the last stored place is read again and publishing goes on from there: the same way as at the start. Nothing depends
on the server's duplicate window.

A line's own output event is stored as one message (about 1 ms where the server syncs to disk), unless many wait;
everything else as an atomic batch that ends in the report (about 8 ms). So of one record the line may be in the log
and the rest of its events not yet: the place that is read again lies in between, and the rest follows.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import nats.errors
from nats.aio.client import Client

from jelmore_agent.bus import Message, Refused, last_message, store, store_batch
from jelmore_agent.messages import Item, chunk_messages, event_message, report_message
from jelmore_contract.bus import WRONG_LAST_SEQUENCE
from jelmore_contract.events import BLOB_CHUNK, EventType, decode_event
from jelmore_contract.report import ORIGIN, Cursor, Report
from jelmore_contract.subjects import STREAM, SessionKey, event_subject, report_subject

logger = logging.getLogger(__name__)

MOST_MESSAGES = 256  # in one batch
MOST_BATCH_BYTES = 4 << 20
#: Bytes that may wait to be published; beyond it the spool is not read on (it is on disk anyway).
MOST_WAITING = 8 << 20
#: With no more items waiting than this a line goes ahead of what it leads to: a client need not wait for the batch.
_FEW = 4
_RETRY = 0.2  # seconds after an error


@dataclass(slots=True)
class _Position:
    """What is stored: up to where, and the last sequences of the agent's own subjects."""

    cursor: Cursor
    output_seq: int
    report_seq: int


class Publisher:
    """Fed by `put`, run by `run`. `progress` is called after everything that was stored."""

    def __init__(self, key: SessionKey, progress: Callable[[Cursor], None]) -> None:
        self._key = key
        self._progress = progress
        self._items: deque[Item] = deque()
        self._waiting = 0
        self._more = asyncio.Event()
        self._report: Report | None = None
        self.stored: Cursor | None = None
        #: What the log is known to have, by what an agent before this one noted.
        self.known = ORIGIN

    @property
    def full(self) -> bool:
        return self._waiting > MOST_WAITING

    @property
    def empty(self) -> bool:
        return not self._items

    def base(self, report: Report) -> None:
        """The state that what is put next builds on."""
        self._report = report

    def put(self, item: Item) -> None:
        """In the order of the session's disk. What the log is known to have is not kept: an agent that is still reading
        its files may put it after the log was asked.
        """
        if self.stored is not None and item.cursor <= self.stored:
            self._report = item.report or self._report
            return
        if self._items and item.cursor <= self._items[-1].cursor:
            raise RuntimeError(f"{item.cursor} was put after {self._items[-1].cursor}: out of the order of the disk")
        self._items.append(item)
        self._waiting += item.size
        self._more.set()

    async def run(self, client: Client) -> None:
        """Never returns; raises only what is a defect."""
        while True:
            with contextlib.suppress(TimeoutError):
                try:
                    await self._publish_from(client, await self._position(client))
                except Refused as error:
                    level = logging.INFO if error.code == WRONG_LAST_SEQUENCE else logging.WARNING
                    logger.log(level, "refused by the log, reading it again: %s", error)
                except (nats.errors.Error, OSError) as error:
                    logger.info("the log is away: %s", str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY)

    async def _position(self, client: Client) -> _Position:
        """Where the log stands: the last report, or the last output event stored alone after it. Where noise stands on
        either's subject, what this agent knows itself has to do.
        """
        position = _Position(ORIGIN, 0, 0)
        if (message := await last_message(client, STREAM, report_subject(self._key))) is not None:
            position.report_seq = int((message.headers or {})["Nats-Sequence"])
            position.cursor = self._place(_report_cursor, message.data)
        output = event_subject(self._key, EventType.OUTPUT)
        if (message := await last_message(client, STREAM, output)) is not None:
            position.output_seq = int((message.headers or {})["Nats-Sequence"])
            position.cursor = max(position.cursor, self._place(_event_cursor, message.data))
        self._done(position.cursor)
        return position

    def _place(self, read: Callable[[bytes], Cursor], data: bytes) -> Cursor:
        try:
            return read(data)
        except (ValueError, RecursionError) as error:
            logger.warning("somebody else wrote to the session's own subjects: %s", error)
            return max(self.stored or ORIGIN, self.known)

    def _done(self, cursor: Cursor) -> None:
        while self._items and self._items[0].cursor <= cursor:
            item = self._items.popleft()
            self._waiting -= item.size
            self._report = item.report or self._report
        self.stored = cursor
        self._progress(cursor)

    async def _publish_from(self, client: Client, position: _Position) -> None:
        while True:
            if not self._items:
                self._more.clear()
                await self._more.wait()
            batch = self._take()
            if batch[0].needs_no_batch and len(batch) <= _FEW:
                batch = batch[:1]
                await self._store_line(client, batch[0], position)
            else:
                await self._store_batch(client, batch, position)
            position.cursor = batch[-1].cursor
            self._done(position.cursor)

    def _take(self) -> list[Item]:
        """The items of the next publication: at least one, within the bounds of a batch."""
        taken: list[Item] = []
        size, messages = 0, 1
        for item in self._items:
            size += item.size
            messages += item.messages
            if taken and (size > MOST_BATCH_BYTES or messages > MOST_MESSAGES):
                break
            taken.append(item)
        return taken

    async def _store_line(self, client: Client, item: Item, position: _Position) -> None:
        position.output_seq = await store(client, event_message(self._key, item, after=position.output_seq))

    async def _store_batch(self, client: Client, items: list[Item], position: _Position) -> None:
        report = next((item.report for item in reversed(items) if item.report), self._report)
        if report is None:
            raise RuntimeError("a batch without any report: the fold's first record must carry one")
        messages: list[Message] = []
        last_output = None
        for item in items:
            if item.event is None:
                continue
            messages += await self._store_early_chunks(client, chunk_messages(self._key, item), report, position)
            after = position.output_seq if item.is_output and last_output is None else None
            if item.is_output:
                last_output = len(messages)
            messages.append(event_message(self._key, item, after))
        cursor, stamp = items[-1].cursor, items[-1].timestamp
        moved = msgspec.structs.replace(report, cursor=cursor, last_activity=stamp)
        messages.append(report_message(self._key, moved, after=position.report_seq))
        position.report_seq = await (store_batch(client, messages) if len(messages) > 1 else store(client, messages[0]))
        if last_output is not None:
            # A batch is stored without gaps, so the sequence of each of its messages is known from the last one's.
            position.output_seq = position.report_seq - (len(messages) - 1 - last_output)

    async def _store_early_chunks(
        self, client: Client, chunks: list[Message], report: Report, position: _Position
    ) -> list[Message]:
        """Chunks beyond what one batch should hold are stored before it, under the cursor as it is: storing them
        again is harmless. Returns the others.
        """
        most = MOST_BATCH_BYTES // BLOB_CHUNK
        unmoved = msgspec.structs.replace(report, cursor=position.cursor)
        while len(chunks) > most:
            part = [*chunks[:most], report_message(self._key, unmoved, after=position.report_seq)]
            position.report_seq = await store_batch(client, part)
            chunks = chunks[most:]
        return chunks


def _report_cursor(data: bytes) -> Cursor:
    return msgspec.json.decode(data, type=Report).cursor


def _event_cursor(data: bytes) -> Cursor:
    return Cursor.of_line(decode_event(data).id)
