"""The log's projections of sessions, as PostgreSQL has them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository
from jelmore_api.sessions.schemas import SessionView


class Filter(NamedTuple):
    """Which sessions are wanted. statuses: all where empty. namespaces: None for all."""

    statuses: Sequence[str] = ()
    namespaces: Collection[str] | None = None
    labels: Mapping[str, str] = {}
    name_prefix: str = ""

    def takes(self, view: SessionView) -> bool:
        return (
            (not self.statuses or view.status in self.statuses)
            and (self.namespaces is None or view.namespace in self.namespaces)
            and self.labels.items() <= view.labels.items()
            and view.name.startswith(self.name_prefix)
        )


class Place(NamedTuple):
    """Of a session in the list, which is newest first."""

    created_at: datetime
    session_id: str


_COLUMNS = """
    session_id::text, namespace, name, labels, spec, state, waiting_for, message, created_at, last_activity,
    current_directory, run, cost_usd, input_tokens, output_tokens, turns, git_branch, git_commit, claude_session_id,
    quota_resets_at, report, output_count
"""
_GET = f"SELECT {_COLUMNS} FROM sessions WHERE session_id = $1"  # noqa: S608 - columns of our own
# A session without a name is shown with one that is made of its id.
_NAME = "coalesce(name, 'session-' || left(session_id::text, 8))"
# An event that came before session.created makes a row without a date: such a row is the oldest.
_PAGE = f"""
    SELECT {_COLUMNS} FROM sessions
    WHERE ($1::text[] IS NULL OR namespace = ANY($1)) AND ($2::text[] IS NULL OR state = ANY($2))
      AND ($3::jsonb IS NULL OR labels @> $3) AND starts_with({_NAME}, $4)
      AND ($5::timestamptz IS NULL OR (coalesce(created_at, 'epoch'), session_id) < ($5, $6::uuid))
    ORDER BY coalesce(created_at, 'epoch') DESC, session_id DESC LIMIT $7
"""  # noqa: S608 - columns of our own
_KNOWN = "SELECT session_id::text FROM sessions WHERE session_id = ANY($1::uuid[])"
_NAMESPACE = "SELECT namespace FROM sessions WHERE session_id = $1"
# From each namespace to the next by the index: there are many sessions, and few namespaces.
_NAMESPACES = """
    WITH RECURSIVE found AS (
        SELECT min(namespace) AS namespace FROM sessions
        UNION ALL SELECT (SELECT min(namespace) FROM sessions WHERE namespace > found.namespace) FROM found
        WHERE found.namespace IS NOT NULL
    )
    SELECT namespace FROM found WHERE namespace IS NOT NULL
"""
_CREATED = """
    SELECT payload FROM events WHERE session_id = $1 AND event_type = 'session.created' ORDER BY seq LIMIT 1
"""
_INPUT = "SELECT state, content, seq FROM inputs WHERE session_id = $1 AND input_id = $2"


class SessionRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def get(self, session_id: str) -> Row | None:
        return await self._postgres.row(_GET, session_id)

    async def page(self, wanted: Filter, after: Place | None, limit: int) -> list[Row]:
        namespaces = None if wanted.namespaces is None else list(wanted.namespaces)
        statuses = [str(status) for status in wanted.statuses] or None
        labels = json.dumps(dict(wanted.labels)) if wanted.labels else None
        date, session_id = after or (None, None)
        return await self._postgres.rows(
            _PAGE, namespaces, statuses, labels, wanted.name_prefix, date, session_id, limit
        )

    async def created(self, session_id: str) -> str | None:
        """The payload of `session.created`: the session as it was made."""
        row = await self._postgres.row(_CREATED, session_id)
        return row["payload"] if row else None

    async def namespace(self, session_id: str) -> str | None:
        """Where the session's log comes from; None for one that the projection does not have (yet)."""
        row = await self._postgres.row(_NAMESPACE, session_id)
        return row["namespace"] if row else None

    async def namespaces(self) -> set[str]:
        """Those that sessions are or were in."""
        return {row["namespace"] for row in await self._postgres.rows(_NAMESPACES)}

    async def unknown(self, session_ids: set[str]) -> set[str]:
        """Those of the ids that the projection does not have (yet)."""
        rows = await self._postgres.rows(_KNOWN, list(session_ids))
        return session_ids - {row["session_id"] for row in rows}

    async def input(self, session_id: str, input_id: str) -> Row | None:
        """state, content (JSON; null where only its states are known), seq of the message that told the state."""
        return await self._postgres.row(_INPUT, session_id, input_id)
