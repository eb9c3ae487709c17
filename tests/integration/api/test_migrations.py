"""The schema: what the migrations make is what the queries name."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from jelmore_api.database.connecting import engine as engine_of
from jelmore_api.database.tables import metadata
from jelmore_api.migrations import migrate
from tests.support.gate import Gate
from tests.support.ports import free_port
from tests.support.servers import execute

ROOT = Path(__file__).parents[3]


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_tables_and_migrations_agree(database_url: str) -> None:
    engine = engine_of(database_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert [change for change in found if "alembic_version" not in str(change)] == []


async def test_many_may_migrate_at_once(database_url: str) -> None:
    await alembic(database_url, "downgrade", "base")
    await asyncio.gather(*(migrate(database_url) for _ in range(3)))
    await migrate(database_url)
    assert "0004 (head)" in await alembic(database_url, "current")


async def test_from_the_root_by_hand(database_url: str) -> None:
    assert "0004 (head)" in await alembic(database_url, "current")
    await alembic(database_url, "downgrade", "base")
    await alembic(database_url, "upgrade", "head")
    assert "0004 (head)" in await alembic(database_url, "current")


async def test_from_the_first_release_with_sessions_in_it(database_url: str) -> None:
    await alembic(database_url, "downgrade", "0001")
    await execute(
        database_url,
        """INSERT INTO sessions (session_id, namespace, name, spec)
        VALUES ('550e8400-e29b-41d4-a716-446655440000', 'default', 'kept', '{"query":"hi"}')""",
    )
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow("SELECT name, spec, labels FROM sessions WHERE labels @> '{}'")
    finally:
        await connection.close()
    assert row is not None
    assert tuple(row) == ("kept", '{"query":"hi"}', "{}")


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


async def test_as_a_command(database_url: str) -> None:
    await alembic(database_url, "downgrade", "base")
    assert await command(JELMORE_DATABASE_URL=database_url) == (0, "")
    assert "0004 (head)" in await alembic(database_url, "current")
    assert await command(JELMORE_DATABASE_URL=database_url) == (0, "")


async def test_the_command_says_what_is_wrong(database_url: str) -> None:
    code, said = await command()
    assert (code, "JELMORE_DATABASE_URL" in said) == (2, True)
    code, said = await command(JELMORE_DATABASE_URL="mysql://x:hunter2@y/z")
    assert (code, "postgresql://" in said, "hunter2" in said) == (2, True, False)
    nowhere = f"postgresql://nobody:hunter2@127.0.0.1:{free_port()}/nothing"
    code, said = await command(JELMORE_DATABASE_URL=nowhere, JELMORE_MIGRATIONS_WAIT="0")
    assert (code, "cannot be reached after 0 s" in said, "hunter2" in said) == (1, True, False)


async def test_the_command_waits_for_the_database(database_url: str) -> None:
    async with Gate(database_url) as gate:
        await gate.shut()
        running = asyncio.create_task(command(JELMORE_DATABASE_URL=gate.url, JELMORE_MIGRATIONS_WAIT="60"))
        await asyncio.wait([running], timeout=3)
        assert not running.done()
        await gate.open()
        assert await running == (0, "")


async def command(**environ: str) -> tuple[int | None, str]:
    """Exit code, and what it says on stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jelmore_api.migrations"),
        env={name: value for name, value in os.environ.items() if not name.startswith("JELMORE_")} | environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    return process.returncode, err.decode()
