"""What PostgreSQL tells about what may go, and taking a session out of it."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository
from jelmore_api.retention.purges import Progress
from jelmore_contract.report import Report
from jelmore_contract.subjects import SessionKey

_PROGRESS = """
    SELECT s.session_id::text, s.namespace, s.report, coalesce(line.seq, 0) AS output_seq FROM sessions s
    LEFT JOIN LATERAL (
        SELECT seq FROM events e WHERE e.session_id = s.session_id AND e.event_type = 'session.output'
        ORDER BY seq DESC LIMIT 1
    ) line ON true
    WHERE s.session_id = ANY($1::uuid[])
"""
_ENDED = "SELECT session_id::text, namespace FROM sessions WHERE terminated_at < $1"
# In pieces: one statement for all that a long session said would hold its rows, and take longer than a statement may.
_REMOVE_EVENTS = """
    DELETE FROM events WHERE session_id = $1
    AND seq IN (SELECT seq FROM events WHERE session_id = $1 ORDER BY seq LIMIT $2) RETURNING seq
"""
_REMOVE_BLOBS = """
    DELETE FROM blobs WHERE session_id = $1
    AND (name, chunk) IN (SELECT name, chunk FROM blobs WHERE session_id = $1 LIMIT $2) RETURNING chunk
"""
_REMOVE_REST = tuple(
    f"DELETE FROM {table} WHERE session_id = $1"  # noqa: S608 - tables of our own
    for table in ("commands", "inputs", "approvals", "sessions")
)
_EVENTS_AT_ONCE, _CHUNKS_AT_ONCE = 2000, 50


class RetentionRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def progress(self, session_ids: Collection[str]) -> list[Progress]:
        """Of those of the sessions that are known."""
        return [_progress(row) for row in await self._postgres.rows(_PROGRESS, list(session_ids))]

    async def ended(self, before: datetime) -> list[SessionKey]:
        """Those that ended before that moment."""
        rows = await self._postgres.rows(_ENDED, before)
        return [SessionKey(row["namespace"], row["session_id"]) for row in rows]

    async def remove(self, session_id: str) -> None:
        """Its own row last: cut off in the middle, it is removed at the next time."""
        for statement, count in ((_REMOVE_EVENTS, _EVENTS_AT_ONCE), (_REMOVE_BLOBS, _CHUNKS_AT_ONCE)):
            while len(await self._postgres.rows(statement, session_id, count)) == count:
                pass
        for statement in _REMOVE_REST:
            await self._postgres.rows(statement, session_id)


def _progress(row: Row) -> Progress:
    key = SessionKey(row["namespace"], row["session_id"])
    return Progress(key, row["output_seq"], _command_seq(row["report"]))


def _command_seq(report: str | None) -> int:
    try:
        return msgspec.json.decode(report, type=Report).command_seq if report is not None else 0
    except msgspec.DecodeError:
        return 0  # not of this version: its commands stay
