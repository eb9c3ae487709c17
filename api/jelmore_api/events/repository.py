"""The log as PostgreSQL has it."""

from collections.abc import Sequence

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository

_EVENTS = """
    SELECT seq, id, event_type, session_id::text, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 AND ($3::text[] IS NULL OR event_type = ANY($3)) ORDER BY seq LIMIT $4
"""
_BLOB = "SELECT chunk, data FROM blobs WHERE session_id = $1 AND name = $2"


class EventRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def page(self, session_id: str, after: int, types: Sequence[str] | None, limit: int) -> list[Row]:
        return await self._postgres.rows(_EVENTS, session_id, after, types, limit)

    async def chunks(self, session_id: str, name: str) -> dict[int, bytes]:
        return {row["chunk"]: row["data"] for row in await self._postgres.rows(_BLOB, session_id, name)}
