"""The log's projections of sessions, as PostgreSQL has them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
# An event that came before session.created makes a row without a date: such a row is the oldest. As the index has it.
_CREATED_AT = "coalesce(sessions.created_at, to_timestamp(0))"
_UNKNOWN = """
    SELECT id::text FROM unnest($1::uuid[]) AS id WHERE NOT EXISTS (SELECT FROM sessions WHERE session_id = id)
"""
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


def _page(wanted: Filter, after: Place | None, limit: int) -> tuple[Any, ...]:
    """The statement and its values. With the conditions that are wanted alone: beside one that may be there or not,
    PostgreSQL would not go along the index.
    """
    values: list[object] = []

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["true"]
    if wanted.namespaces is not None:
        conditions.append(f"namespace = ANY({value(list(wanted.namespaces))})")
    if wanted.statuses:
        conditions.append(f"state = ANY({value([str(status) for status in wanted.statuses])})")
    if wanted.labels:
        conditions.append(f"labels @> {value(json.dumps(dict(wanted.labels)))}")
    if wanted.name_prefix:
        conditions.append(f"starts_with({_NAME}, {value(wanted.name_prefix)})")
    if after is not None:
        date, session_id = map(value, after)
        conditions.append(f"({_CREATED_AT}, sessions.session_id) < ({date}, {session_id})")
    statement = f"""
        SELECT {_COLUMNS} FROM sessions WHERE {" AND ".join(conditions)}
        ORDER BY {_CREATED_AT} DESC, sessions.session_id DESC LIMIT {value(limit)}
    """  # noqa: S608 - columns and conditions of our own
    return statement, *values


class SessionRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def get(self, session_id: str) -> Row | None:
        return await self._postgres.row(_GET, session_id)

    async def page(self, wanted: Filter, after: Place | None, limit: int) -> list[Row]:
        return await self._postgres.rows(*_page(wanted, after, limit))

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
        return {row["id"] for row in await self._postgres.rows(_UNKNOWN, list(session_ids))}

    async def input(self, session_id: str, input_id: str) -> Row | None:
        """state, content (JSON; null where only its states are known), seq of the message that told the state."""
        return await self._postgres.row(_INPUT, session_id, input_id)
