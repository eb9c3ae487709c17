"""The log's projections of sessions, as PostgreSQL has them."""

from datetime import datetime
from typing import NamedTuple

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository


class Place(NamedTuple):
    """Of a session in the list, which is newest first."""

    created_at: datetime
    session_id: str


_COLUMNS = """
    session_id::text, namespace, name, spec, state, waiting_for, message, created_at, last_activity, current_directory,
    run, cost_usd, input_tokens, output_tokens, turns, git_branch, git_commit, claude_session_id, quota_resets_at,
    report, output_count
"""
_GET = f"SELECT {_COLUMNS} FROM sessions WHERE session_id = $1"  # noqa: S608 - columns of our own
# An event that came before session.created makes a row without a date: such a row is the oldest.
_PAGE = f"""
    SELECT {_COLUMNS} FROM sessions
    WHERE ($1::text IS NULL OR namespace = $1) AND ($2::text IS NULL OR state = $2)
      AND ($3::timestamptz IS NULL OR (coalesce(created_at, 'epoch'), session_id) < ($3, $4::uuid))
    ORDER BY coalesce(created_at, 'epoch') DESC, session_id DESC LIMIT $5
"""  # noqa: S608 - columns of our own
_KNOWN = "SELECT session_id::text FROM sessions WHERE session_id = ANY($1::uuid[])"
_INPUT = "SELECT state, content, seq FROM inputs WHERE session_id = $1 AND input_id = $2"


class SessionRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def get(self, session_id: str) -> Row | None:
        return await self._postgres.row(_GET, session_id)

    async def page(self, status: str | None, namespace: str | None, after: Place | None, limit: int) -> list[Row]:
        date, session_id = after or (None, None)
        return await self._postgres.rows(_PAGE, namespace, status, date, session_id, limit)

    async def unknown(self, session_ids: set[str]) -> set[str]:
        """Those of the ids that the projection does not have (yet)."""
        rows = await self._postgres.rows(_KNOWN, list(session_ids))
        return session_ids - {row["session_id"] for row in rows}

    async def input(self, session_id: str, input_id: str) -> Row | None:
        """state, content (JSON; null where only its states are known), seq of the message that told the state."""
        return await self._postgres.row(_INPUT, session_id, input_id)
