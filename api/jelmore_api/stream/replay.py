"""Following a session from any place of its past: rows, then the stream, then the ring; no gap, no double, in order.

Rows up to the position that PostgreSQL names never change, and are all there once that position can be read: read
first, it is the snapshot, and pages of rows below it need no transaction that a slow client would hold open.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import NamedTuple

import nats.js.errors
from nats.aio.client import Client

from jelmore_api.errors import Problem
from jelmore_api.persister.stream import COMPLETE_FROM
from jelmore_api.postgres import Postgres
from jelmore_api.stream.consumer import BUS_ERRORS, ConsumerLost, Entry
from jelmore_api.stream.frames import Frame, event_frame, read_event, read_subject, ready_frame, row_frame
from jelmore_api.stream.reader import Reader
from jelmore_api.stream.room import Member
from jelmore_api.stream.rooms import Rooms
from jelmore_contract.events import EventType
from jelmore_contract.subjects import STREAM, SessionKey, session_events

logger = logging.getLogger(__name__)

_POSITION = "SELECT seq FROM log_position WHERE stream = $1"
_ROWS = """
    SELECT seq, id, event_type, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
"""
_LAST_ROW = "SELECT seq, event_type FROM events WHERE session_id = $1 ORDER BY seq DESC LIMIT 1"

_MOST_ROWS, _LEAST_ROWS = 500, 10  # a page
_PAGE_CHARACTERS = 4 << 20  # that a page should not exceed by much
_TIMEOUT = 5.0
_RETRY = 0.2  # seconds


class End(NamedTuple):
    """Where a session's events end (so far)."""

    seq: int
    terminated: bool


class Page(NamedTuple):
    """`live`: from the ring; what is not live was stored before the client came (or got behind)."""

    frames: list[Frame]
    live: bool


class Replay:
    """Reads for any number of clients at once."""

    def __init__(self, client: Client, postgres: Postgres, rooms: Rooms) -> None:
        self._client = client
        self._postgres = postgres
        self._rooms = rooms

    async def end(self, key: SessionKey) -> End:
        """Where a session's events end. Raises Problem (503) when that can be read nowhere."""
        try:
            return await self._end_in_stream(key)
        except nats.js.errors.NotFoundError:
            pass  # it has none in the stream, or there is no stream
        except BUS_ERRORS as error:
            logger.info("the stream's end is unknown: %s", type(error).__name__)
        row = await self._postgres.row(_LAST_ROW, key.session_id)
        return End(row["seq"], row["event_type"] == EventType.TERMINATED) if row else End(0, False)

    async def follow(
        self, key: SessionKey, after: int, deltas: bool = False, overrun: Callable[[], None] | None = None
    ) -> AsyncGenerator[Page]:
        """Every event above `after`, `stream.ready` where what was stored ends, then what comes. Ends with the session.

        overrun: called when the client is too far behind, maybe while it is waited for. Raises room.TooSlow,
        room.Closing, or Problem (503) where the past can be read nowhere.
        """
        async with self._rooms.join(key, deltas, overrun) as member:
            course = _Course(after)
            async for page in self._past(key, course, member):
                yield page
            end = await self.end(key)
            while not member.reached(end.seq):
                yield course.moved(await member.next(), live=False)
            yield Page([ready_frame(course.last)], live=True)
            while not (course.ended or end.terminated):
                yield course.moved(await member.next(), live=True)

    async def _past(self, key: SessionKey, course: "_Course", member: Member) -> AsyncIterator[Page]:
        """Everything up to where the ring begins, where `member` then starts."""
        if course.covered < member.room.floor:
            async for page in self._rows(key, course):
                yield page
        while course.covered < member.room.floor:
            floor = member.room.floor
            async for page in self._stored(key, course, floor):
                yield page
            course.covered = max(course.covered, floor)
        # Nothing was waited for since the floor was looked at.
        member.start(course.covered)

    async def _rows(self, key: SessionKey, course: "_Course") -> AsyncIterator[Page]:
        """What PostgreSQL has. Without it the stream must do, if that holds it all."""
        try:
            while (position := await self._position()) > course.covered:
                async for page in self._rows_up_to(key, course, position):
                    yield page
                course.covered = position
        except Problem:
            if not await self._stream_has_all(course.covered):
                raise

    async def _rows_up_to(self, key: SessionKey, course: "_Course", position: int) -> AsyncIterator[Page]:
        limit = _MOST_ROWS
        while rows := await self._postgres.rows(_ROWS, key.session_id, course.covered, position, limit):
            frames = [row_frame(key.session_id, *row) for row in rows]
            yield course.moved(frames, live=False)
            if len(rows) < limit:
                return
            size = sum(len(frame.text) for frame in frames) // len(frames) + 1
            limit = max(_LEAST_ROWS, min(_MOST_ROWS, _PAGE_CHARACTERS // size))

    async def _stored(self, key: SessionKey, course: "_Course", upto: int) -> AsyncIterator[Page]:
        """What the stream has, through lost connections. Waits as long as NATS is away."""
        while course.covered < upto:
            reader = Reader(self._client, session_events(key), course.covered)
            try:
                await reader.open()
                while reader.pending and course.covered < upto:
                    entries = [entry for entry in await reader.read(_MOST_ROWS) if entry.seq <= upto]
                    frames = _frames(entries)
                    course.covered = entries[-1].seq if entries else upto
                    if frames:
                        yield course.moved(frames, live=False)
                return
            except (ConsumerLost, *BUS_ERRORS) as error:
                logger.info("reading the stream again: %s %s", type(error).__name__, error)
                await asyncio.sleep(_RETRY)
            finally:
                await reader.close()

    async def _position(self) -> int:
        row = await self._postgres.row(_POSITION, STREAM)
        return int(row["seq"]) if row else 0

    async def _stream_has_all(self, after: int) -> bool:
        try:
            info = await self._client.jsm().stream_info(STREAM)
        except BUS_ERRORS:
            return False
        complete_from = int((info.config.metadata or {}).get(COMPLETE_FROM, "1"))
        return after + 1 >= complete_from or complete_from == 1

    async def _end_in_stream(self, key: SessionKey) -> End:
        """Asked of the stream's leader: a follower may not have what this client has seen."""
        jetstream = self._client.jetstream(timeout=_TIMEOUT)
        message = await jetstream.get_last_msg(STREAM, session_events(key))
        frames = _frames([Entry(message.seq or 0, message.subject or "", message.data or b"", 0)])
        return End(message.seq or 0, bool(frames) and frames[0].event_type == EventType.TERMINATED)


class _Course:
    """How far one client has come."""

    def __init__(self, after: int) -> None:
        self.covered = after  # nothing up to here is to be read any more
        self.last = after  # of the last event sent
        self.ended = False

    def moved(self, frames: list[Frame], live: bool) -> Page:
        for frame in frames:
            if frame.seq:
                self.covered = self.last = frame.seq
            if frame.event_type == EventType.TERMINATED:
                self.ended = True
        return Page(frames, live)


def _frames(entries: list[Entry]) -> list[Frame]:
    """Of those that are events."""
    frames = []
    for entry in entries:
        try:
            frames.append(event_frame(entry.seq, read_event(read_subject(entry.subject), entry.data)))
        except ValueError as error:
            logger.debug("not an event, at %d: %s", entry.seq, error)
    return frames
