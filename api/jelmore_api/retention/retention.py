"""Takes out of the log, now and then, what is kept no longer."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

from jelmore_api.clock import utc_now
from jelmore_api.errors import Problem
from jelmore_api.resources.store import ResourceStore
from jelmore_api.retention import purges
from jelmore_api.retention.rows import RetentionRepository
from jelmore_api.retention.stream import LogStream
from jelmore_api.stream.consumer import BUS_ERRORS
from jelmore_contract.resource import seconds
from jelmore_contract.subjects import ALL_COMMANDS

_log = logging.getLogger("jelmore.api.retention")

#: Seconds between two looks. What is kept for days is kept some minutes longer.
_EVERY = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long; None for ever. log: the log of a session, after its end. stream: what PostgreSQL has, in NATS too."""

    log: timedelta | None
    stream: timedelta | None

    @classmethod
    def parse(cls, log: str, stream: str) -> Self:
        """Of durations such as `720h`; `0s` is for ever."""
        return cls(*(timedelta(seconds=seconds(kept)) or None for kept in (log, stream)))


class Writer(Protocol):
    """Of all replicas, the one whose `active` is true writes the log's mirror, and looks after it."""

    active: bool


class Retention:
    """`run` looks again and again; one pass is the same at any time, and may be cut off anywhere."""

    def __init__(self, limits: Limits, rows: RetentionRepository, stream: LogStream, store: ResourceStore) -> None:
        self._limits = limits
        self._rows = rows
        self._stream = stream
        self._store = store

    async def run(self, writer: Writer) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            if not writer.active:
                continue
            try:
                await self.enforce(utc_now())
            except (Problem, *BUS_ERRORS) as error:
                _log.info("what is past its time stays for now: %s", type(error).__name__)
            except Exception:
                # A defect must neither end this for good nor hide.
                _log.exception("what is past its time stays for now")

    async def enforce(self, now: datetime) -> None:
        """Raises Problem or one of BUS_ERRORS while a server is away."""
        if self._limits.stream is not None:
            await self._thin_out(now - self._limits.stream)
        if self._limits.log is not None:
            await self._remove(now - self._limits.log)

    async def _thin_out(self, before: datetime) -> None:
        """Of what the stream took before then, and PostgreSQL has, only what is looked for stays in the stream."""
        position = await self._rows.position()
        below = min(await self._stream.sequence_at(before), position + 1)
        await self._stream.incomplete_below(below)
        for purge in purges.of_all(below):
            await self._stream.purge(purge)
        sessions = await self._stream.sessions(purges.ALL_OUTPUT, more_than=1)
        sessions |= await self._stream.sessions(ALL_COMMANDS, more_than=0)
        for session in await self._rows.progress(sessions):
            for purge in purges.of_one(session, below):
                await self._stream.purge(purge)

    async def _remove(self, ended_before: datetime) -> None:
        """The logs of sessions that ended before then, once their resources are gone too."""
        for key in await self._rows.ended(ended_before):
            if await self._store.get(key.session_id) is not None:
                continue
            # The stream first: what PostgreSQL does not know is found by nobody.
            await self._stream.forget(key)
            await self._store.clear(key)
            await self._rows.remove(key.session_id)
            _log.info("removed the log of a session that ended", extra={"session": key.session_id})
