"""Hot state and each session's last output in Redis: after PostgreSQL, from it when lost, and never in its way."""

import asyncio
import logging
from collections import deque
from typing import NamedTuple

import asyncpg
from redis.asyncio import Redis

from jelmore_api.availability import Availability
from jelmore_api.database.connecting import connect, database_trouble
from jelmore_api.persister.health import Health
from jelmore_api.persister.hot import (
    REDIS_ERRORS,
    TAIL,
    HotState,
    output_list,
    session_hash,
    write_changes,
    write_session,
    write_tail,
)
from jelmore_api.persister.rows import Changes, EventRow
from jelmore_api.redis_server import check_redis, redis_trouble
from jelmore_contract.subjects import STREAM

logger = logging.getLogger(__name__)

_POSITION = "jelmore:position"
_REBUILDING = -1  # no position of any log
_MOST_WAITING = 20_000  # events for a Redis that is slow; beyond it everything is read from PostgreSQL again
_IDLE = 2.0  # seconds between looks whether Redis still has it
_PAUSE = 1.0  # seconds after an error

_SESSIONS = """
    SELECT session_id::text, namespace, name, state, waiting_for, current_directory, last_activity, last_seq,
        terminated_at
    FROM sessions WHERE terminated_at IS NULL OR terminated_at > now() - interval '24 hours'
"""
_TAIL = """
    SELECT session_id::text, seq, id, event_type, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND event_type = 'session.output' ORDER BY seq DESC LIMIT $2
"""


class _OutOfSync(Exception):
    """Redis does not hold what the next batch builds on."""


class _Batch(NamedTuple):
    before: int
    after: int
    changes: list[Changes]
    size: int


class Mirror:
    """Given every committed batch; behind or in doubt, it reads all again."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._batches: deque[_Batch] = deque()
        self._waiting = 0
        self._more = asyncio.Event()
        self._position: int | None = None
        self.health = Health(False, "not mirrored yet")
        self._availability = Availability("Redis", logger)

    def committed(self, before: int, after: int, changes: list[Changes]) -> None:
        """The batch that took PostgreSQL from position `before` to `after`. Never waits."""
        size = sum(len(change.events) for change in changes)
        self._batches.append(_Batch(before, after, changes, size))
        self._waiting += size
        if self._waiting > _MOST_WAITING:
            self._batches.clear()
            self._waiting = 0
            self._position = None
        self._more.set()

    async def run(self, database_url: str) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._follow(database_url)
            except _OutOfSync:
                self._position = None
            except REDIS_ERRORS as error:
                await self._pause(redis_trouble(error).text)
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                await self._pause(f"is not up to date: PostgreSQL {database_trouble(error).text}")

    async def _pause(self, wrong: str) -> None:
        self._availability.lost(wrong)
        self.health = Health(False, wrong)
        self._position = None
        await asyncio.sleep(_PAUSE)

    async def _follow(self, database_url: str) -> None:
        while True:
            if self._position is None:
                self._position = await self._rebuild(database_url)
            self.health = Health(True)
            self._availability.found()
            if not self._batches:
                await self._wait()
            elif (batch := self._take()).after > self._position:
                await self._apply(batch)
                self._position = batch.after

    def _take(self) -> _Batch:
        batch = self._batches.popleft()
        self._waiting -= batch.size
        return batch

    async def _wait(self) -> None:
        self._more.clear()
        try:
            async with asyncio.timeout(_IDLE):
                await self._more.wait()
        except TimeoutError:
            if _number(await self._redis.get(_POSITION)) != self._position:
                raise _OutOfSync from None

    async def _apply(self, batch: _Batch) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            await pipeline.watch(_POSITION)
            if _number(await pipeline.get(_POSITION)) != batch.before:
                raise _OutOfSync
            pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py's own
            for changes in batch.changes:
                write_changes(pipeline, changes)
            pipeline.set(_POSITION, batch.after)
            await pipeline.execute()

    async def _rebuild(self, database_url: str) -> int:
        """From one snapshot of PostgreSQL; the position last, so that a rebuild cut short is no rebuild."""
        await check_redis(self._redis)
        connection = await connect(database_url, timeout=5, command_timeout=60)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                position = await connection.fetchval("SELECT seq FROM log_position WHERE stream = $1", STREAM) or 0
                await self._redis.set(_POSITION, _REBUILDING)
                for session in await connection.fetch(_SESSIONS):
                    tail = await connection.fetch(_TAIL, session["session_id"], TAIL)
                    await self._put(HotState(*session), [EventRow(*row) for row in reversed(tail)])
                await self._rebuilt(position)
        finally:
            await connection.close(timeout=1)
        return int(position)

    async def _rebuilt(self, position: int) -> None:
        """Raises _OutOfSync where Redis was emptied in the middle of it."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            await pipeline.watch(_POSITION)
            if _number(await pipeline.get(_POSITION)) != _REBUILDING:
                raise _OutOfSync
            pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py's own
            pipeline.set(_POSITION, position)
            await pipeline.execute()

    async def _put(self, session: HotState, tail: list[EventRow]) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(output_list(session.session_id), session_hash(session.session_id))
            write_tail(pipeline, session.session_id, tail)
            write_session(pipeline, session)
            await pipeline.execute()


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, bytes | str) else None
