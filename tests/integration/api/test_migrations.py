"""The schema: what the migrations make is what the queries name."""

import asyncio
import os
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from jelmore_api.database.tables import metadata
from jelmore_api.database.urls import sqlalchemy_url
from jelmore_api.migrations import migrate

ROOT = Path(__file__).parents[3]


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_tables_and_migrations_agree(database_url: str) -> None:
    engine = create_async_engine(sqlalchemy_url(database_url))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert [change for change in found if "alembic_version" not in str(change)] == []


async def test_many_may_migrate_at_once(database_url: str) -> None:
    await alembic(database_url, "downgrade", "base")
    await asyncio.gather(*(migrate(database_url) for _ in range(3)))
    await migrate(database_url)
    assert "0001 (head)" in await alembic(database_url, "current")


async def test_from_the_root_by_hand(database_url: str) -> None:
    assert "0001 (head)" in await alembic(database_url, "current")
    await alembic(database_url, "downgrade", "base")
    await alembic(database_url, "upgrade", "head")
    assert "0001 (head)" in await alembic(database_url, "current")


async def alembic(database_url: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *arguments),
        cwd=ROOT,
        env={**os.environ, "JELMORE_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
