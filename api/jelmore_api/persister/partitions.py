"""The partitions of `events`: ranges of seq, made ahead of need."""

import asyncpg

#: Sequences a partition. Retention drops whole ones, so it is as fine as they are.
SPAN = 10_000_000
_AHEAD = SPAN // 10


def partitions_needed(first: int, last: int) -> range:
    """Numbers of the partitions for sequences from `first` to `last` and for those that come soon."""
    return range(first // SPAN, (last + _AHEAD) // SPAN + 1)


class Partitions:
    """Remembers which exist, so that a batch costs no query."""

    def __init__(self) -> None:
        self._made: set[int] = set()

    async def make(self, connection: "asyncpg.Connection[asyncpg.Record]", first: int, last: int) -> None:
        """Outside of a transaction. Raises asyncpg.PostgresError, OSError."""
        for number in partitions_needed(first, last):
            if number not in self._made:
                await _make(connection, number)
                self._made.add(number)


async def _make(connection: "asyncpg.Connection[asyncpg.Record]", number: int) -> None:
    """Attached rather than made in place: that lock lets readers go on, however long they read."""
    name = f"events_{number:06d}"
    if await connection.fetchval("SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1)", name):
        return
    async with connection.transaction():
        await connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (LIKE events INCLUDING ALL)")
        await connection.execute(
            f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({number * SPAN}) TO ({(number + 1) * SPAN})"
        )
