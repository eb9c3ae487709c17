"""`python -m jelmore_api.migrations`: brings the database of JELMORE_DATABASE_URL to the newest schema.

Waits for the database for JELMORE_MIGRATIONS_WAIT seconds. Exit codes: 0 done, 1 the database cannot be reached or
migrated, 2 wrong settings.
"""

import asyncio
import sys
import time

import asyncpg
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import SQLAlchemyError

from jelmore_api.database.connecting import connect, database_trouble
from jelmore_api.database.urls import asyncpg_url
from jelmore_api.migrations import migrate
from jelmore_api.settings import problem

_PAUSE = 1.0  # seconds between two attempts
_CONNECT = 5.0  # seconds of one


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="JELMORE_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr
    migrations_wait: float = Field(120.0, ge=0)

    @field_validator("database_url")
    @classmethod
    def _of_postgres(cls, url: SecretStr) -> SecretStr:
        asyncpg_url(url.get_secret_value())
        return url


class _GaveUp(Exception):
    """The text says why."""


async def _available(database_url: str, wait: float) -> None:
    """Returns once the database lets somebody in. Raises _GaveUp."""
    until = time.monotonic() + wait
    while True:
        try:
            connection = await connect(database_url, timeout=_CONNECT)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            trouble = database_trouble(error)
            if trouble.lasting:
                raise _GaveUp(f"the database {trouble.text}") from error
            if time.monotonic() + _PAUSE > until:
                raise _GaveUp(f"the database cannot be reached after {wait:.0f} s: it {trouble.text}") from error
        else:
            await connection.close()
            return
        await asyncio.sleep(_PAUSE)


def _said(error: Exception) -> str:
    """Its kind and its first line, in which PostgreSQL repeats no password."""
    first = str(error).splitlines()[:1]
    return ": ".join([type(error).__name__, *first])


async def _run(settings: _Settings) -> None:
    url = settings.database_url.get_secret_value()
    await _available(url, settings.migrations_wait)
    try:
        await migrate(url)
    except (OSError, SQLAlchemyError) as error:
        raise _GaveUp(f"the database cannot be migrated: {_said(error)}") from error


def main() -> int:
    try:
        settings = _Settings()
    except ValidationError as error:
        print(f"jelmore_api.migrations: {problem(error)}.", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(settings))
    except _GaveUp as reason:
        print(f"jelmore_api.migrations: {reason}", file=sys.stderr)
        return 1
    print("jelmore_api.migrations: the database has the newest schema")
    return 0


if __name__ == "__main__":
    sys.exit(main())
