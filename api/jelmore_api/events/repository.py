"""The log as PostgreSQL has it."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository
from jelmore_contract.subjects import STREAM

_REACH = """
    SELECT p.seq AS position, s.namespace, s.last_seq FROM log_position p
    LEFT JOIN sessions s ON s.session_id = $1 WHERE p.stream = $2
"""
_EVENTS = """
    SELECT seq, id, event_type, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 AND ($3::text[] IS NULL OR event_type = ANY($3)) ORDER BY seq LIMIT $4
"""
_BLOB = "SELECT chunk, data FROM blobs WHERE session_id = $1 AND name = $2"
_DIFFS = """
    SELECT seq, encoding, left(payload, 256) AS head FROM events
    WHERE session_id = $1 AND event_type = 'session.diff' AND seq < $2 ORDER BY seq DESC LIMIT $3
"""
_MOST_SEQ = 2**63 - 1
_DIFFS_AT_ONCE = 50
_PAYLOAD = "SELECT payload FROM events WHERE session_id = $1 AND seq = $2"
_BLOB_HEAD = (
    "SELECT substring(data from 1 for 256) AS head FROM blobs WHERE session_id = $1 AND name = $2 AND chunk = 0"
)
_DIFF_PROBLEM = """
    SELECT payload FROM events
    WHERE session_id = $1 AND event_type = 'session.error' AND payload LIKE '{"reason":"diff",%'
    ORDER BY seq DESC LIMIT 1
"""


class Reach(NamedTuple):
    """How far the tables go: everything in the log up to `position`; `last_seq`: the session's last event among that.

    namespace: None for a session that they do not know (yet).
    """

    position: int
    namespace: str | None
    last_seq: int


class EventRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def reach(self, session_id: str) -> Reach:
        """Read before the tables, it is never too far."""
        row = await self._postgres.row(_REACH, session_id, STREAM)
        return Reach(row["position"], row["namespace"], row["last_seq"] or 0) if row else Reach(0, None, 0)

    async def page(self, session_id: str, after: int, types: Sequence[str] | None, limit: int) -> list[Row]:
        """In the columns' order, without the session's."""
        return await self._postgres.rows(_EVENTS, session_id, after, types, limit)

    async def chunks(self, session_id: str, name: str) -> dict[int, bytes]:
        return {row["chunk"]: row["data"] for row in await self._postgres.rows(_BLOB, session_id, name)}

    async def diffs(self, session_id: str) -> AsyncIterator[Row]:
        """seq, encoding and the beginning of each `session.diff`, newest first."""
        before = _MOST_SEQ
        while page := await self._postgres.rows(_DIFFS, session_id, before, _DIFFS_AT_ONCE):
            for row in page:
                yield row
            before = page[-1]["seq"]

    async def payload(self, session_id: str, seq: int) -> str:
        """Empty where there is no such event any more."""
        row = await self._postgres.row(_PAYLOAD, session_id, seq)
        return str(row["payload"]) if row else ""

    async def blob_head(self, session_id: str, name: str) -> bytes:
        """Its first bytes."""
        row = await self._postgres.row(_BLOB_HEAD, session_id, name)
        return bytes(row["head"]) if row else b""

    async def diff_problem(self, session_id: str) -> str | None:
        """The payload of the `session.error` that says why there are no diffs."""
        row = await self._postgres.row(_DIFF_PROBLEM, session_id)
        return str(row["payload"]) if row else None
