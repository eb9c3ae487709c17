"""Reading PostgreSQL: a pool that connects when it is asked, and a 503 while the database is away."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Self

import asyncpg

from jelmore_api.availability import Availability
from jelmore_api.database.connecting import connect, database_trouble
from jelmore_api.errors import unavailable

_MOST_CONNECTIONS = 8
#: Seconds: to connect or to get a connection; for a statement.
_CONNECT, _COMMAND = 3.0, 10.0

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    # Not migrated yet.
    asyncpg.UndefinedTableError,
)
_log = logging.getLogger("jelmore.api.postgres")

type Row = asyncpg.Record


async def _nothing(_: object) -> None:
    """Between two users of a connection: single statements leave nothing to reset, which would be a round trip."""


class Postgres:
    """`async with Postgres(url)`: connects when first asked. Methods raise Problem (503) while the database is away."""

    def __init__(self, url: str) -> None:
        self._availability = Availability("PostgreSQL", _log)
        self._pool: asyncpg.Pool[Row] = asyncpg.create_pool(  # type: ignore[call-overload]  # knows asyncpg.connect alone
            url,
            connect=connect,
            reset=_nothing,
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            timeout=_CONNECT,
            command_timeout=_COMMAND,
            server_settings={"application_name": "jelmore-api"},
        )

    async def __aenter__(self) -> Self:
        await self._pool
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.terminate()

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        with self._asking():
            async with self._pool.acquire(timeout=_CONNECT) as connection:
                found = await connection.fetch(statement, *values)
        self._availability.found()
        return found

    async def row(self, statement: str, *values: Any) -> Row | None:
        found = await self.rows(statement, *values)
        return found[0] if found else None

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            self._availability.lost(database_trouble(error).text)
            raise unavailable("PostgreSQL") from error
