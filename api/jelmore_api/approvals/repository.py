"""The log's projection of approvals, as PostgreSQL has it."""

from jelmore_api.postgres import Row
from jelmore_api.repository import LogRepository

_OPEN = """
    SELECT approval_id, request, requested_at FROM approvals
    WHERE session_id = $1 AND decision IS NULL ORDER BY requested_seq
"""
_GET = "SELECT requested_seq, decision FROM approvals WHERE session_id = $1 AND approval_id = $2"


class ApprovalRepository(LogRepository):
    """Every method raises Problem (503) while PostgreSQL is away."""

    async def open(self, session_id: str) -> list[Row]:
        """Those without an answer, oldest first."""
        return await self._postgres.rows(_OPEN, session_id)

    async def get(self, session_id: str, approval_id: str) -> Row | None:
        return await self._postgres.row(_GET, session_id, approval_id)
