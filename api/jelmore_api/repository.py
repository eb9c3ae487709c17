"""What every reader of the log's mirror needs."""

from jelmore_api.postgres import Postgres
from jelmore_contract.subjects import STREAM


class LogRepository:
    """Every method raises Problem (503) while PostgreSQL is away."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def position(self) -> int:
        """Everything in the log up to this sequence is in the tables. Read before them, it is never too far."""
        row = await self._postgres.row("SELECT seq FROM log_position WHERE stream = $1", STREAM)
        return int(row["seq"]) if row else 0
