"""The persister's one writing connection: who holds its advisory lock writes, and each batch is one transaction."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Self

import asyncpg

from jelmore_api.database.connecting import connect
from jelmore_api.persister.partitions import Partitions
from jelmore_api.persister.projections import blobs_needed, fold, session_ids
from jelmore_api.persister.reports import stored_reports
from jelmore_api.persister.rows import Changes, DeadLetter, SessionRow
from jelmore_api.persister.stream import StoredReport
from jelmore_api.persister.writes import SESSION_COLUMNS, apply
from jelmore_api.stream.consumer import Entry
from jelmore_contract.subjects import STREAM

logger = logging.getLogger(__name__)

#: What connecting, or any call here, may raise when PostgreSQL is away (or another writer took over).
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

# Errors that lie in the data of one message, so that trying again cannot help.
_DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)

_CONNECT_TIMEOUT = 5.0
_COMMAND_TIMEOUT = 60.0
#: A database without this lock's holder: a dead host's connection ends after about 20 s.
_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2"}

_READ_SESSIONS = (
    f"SELECT session_id::text, {', '.join(SESSION_COLUMNS[1:])} FROM sessions WHERE session_id = ANY($1::uuid[])"  # noqa: S608 - columns of our own
)
_READ_BLOB = "SELECT data FROM blobs WHERE session_id = $1 AND name = $2 ORDER BY chunk"


class PositionMoved(Exception):
    """Somebody else wrote: this one must not go on."""


class _Unfoldable(Exception):
    """A defect of the fold: the message that shows it must not hold up all others."""


def _folded(sessions: dict[str, SessionRow], entries: Sequence[Entry], blobs: dict[tuple[str, str], bytes]) -> Changes:
    try:
        return fold(sessions, entries, blobs)
    except Exception as error:
        logger.exception("the fold fails between %d and %d", entries[0].seq, entries[-1].seq)
        raise _Unfoldable(f"the fold fails: {type(error).__name__}") from error


def _lock_key(stream: str) -> int:
    return int.from_bytes(hashlib.sha256(f"jelmore persister {stream}".encode()).digest()[:8], "big", signed=True)


class Store:
    """Opened by `connect`; of all replicas' connections one gets the lock, and loses it only with the connection."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._partitions = Partitions()

    @classmethod
    async def connect(cls, database_url: str) -> Self:
        """Raises one of DATABASE_ERRORS."""
        return cls(
            await connect(
                database_url,
                timeout=_CONNECT_TIMEOUT,
                command_timeout=_COMMAND_TIMEOUT,
                server_settings={"application_name": "jelmore-persister", **_KEEPALIVES},
            )
        )

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=1)
        except DATABASE_ERRORS:
            self._connection.terminate()

    async def lock(self) -> bool:
        """Whether this connection is the one that writes."""
        return bool(await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _lock_key(STREAM)))

    async def position(self) -> int:
        """Every message up to this sequence is in the tables."""
        await self._connection.execute(
            "INSERT INTO log_position (stream, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING", STREAM
        )
        return int(await self._connection.fetchval("SELECT seq FROM log_position WHERE stream = $1", STREAM))

    async def check(self) -> None:
        """Raises one of DATABASE_ERRORS where the connection, and with it the lock, is gone."""
        await self._connection.fetchval("SELECT 1", timeout=_CONNECT_TIMEOUT)

    async def reports(self) -> list[StoredReport]:
        """For a stream that is made anew."""
        return await stored_reports(self._connection)

    async def write(self, position: int, entries: Sequence[Entry]) -> list[Changes]:
        """All that the entries change, and the position after them; what cannot be stored becomes a dead letter.

        Raises PositionMoved, or one of DATABASE_ERRORS; then nothing after the last whole transaction was written.
        """
        await self._partitions.make(self._connection, entries[0].seq, entries[-1].seq)
        try:
            return [await self._write(position, entries)]
        except (*_DATA_ERRORS, _Unfoldable) as error:
            if len(entries) == 1:
                return [await self._set_aside(position, entries[0], str(error))]
        written = []
        for entry in entries:
            written += await self.write(position, [entry])
            position = entry.seq
        return written

    async def _write(self, position: int, entries: Sequence[Entry]) -> Changes:
        async with self._connection.transaction():
            await self._move(position, entries[-1].seq)
            sessions = await self._sessions(session_ids(entries))
            changes = _folded(sessions, entries, await self._blobs(entries))
            await apply(self._connection, changes)
        return changes

    async def _set_aside(self, position: int, entry: Entry, reason: str) -> Changes:
        changes = Changes(dead_letters=[DeadLetter(entry.seq, ascii(entry.subject), ascii(reason), entry.data)])
        async with self._connection.transaction():
            await self._move(position, entry.seq)
            await apply(self._connection, changes)
        return changes

    async def _move(self, position: int, to: int) -> None:
        """Compare-and-swap; it also keeps any other writer out until the end of the transaction."""
        moved = await self._connection.fetchval(
            "UPDATE log_position SET seq = $3 WHERE stream = $1 AND seq = $2 RETURNING seq", STREAM, position, to
        )
        if moved is None:
            raise PositionMoved(f"the log's position is not {position} any more")

    async def _sessions(self, ids: Iterable[str]) -> dict[str, SessionRow]:
        rows = await self._connection.fetch(_READ_SESSIONS, list(ids))
        return {row["session_id"]: SessionRow(*row) for row in rows}

    async def _blobs(self, entries: Sequence[Entry]) -> dict[tuple[str, str], bytes]:
        """Chunks come before the event that names them: they are in an earlier batch, in this one, or in both."""
        blobs = {}
        for session_id, name in blobs_needed(entries):
            stored = {row["chunk"]: row["data"] for row in await self._connection.fetch(_READ_BLOB, session_id, name)}
            mark = f".{session_id}.{name}."
            for entry in entries:
                head, found, chunk = entry.subject.partition(mark)
                if found and head.startswith("jelmore.blob.") and chunk.isdecimal():
                    stored[int(chunk)] = entry.data
            blobs[session_id, name] = b"".join(stored[chunk] for chunk in sorted(stored))
        return blobs
