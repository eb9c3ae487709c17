"""What alembic runs: `migrate` on the connection that it has, the `alembic` command on JELMORE_DATABASE_URL."""

import asyncio
import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection

from jelmore_api.database.connecting import engine
from jelmore_api.database.tables import metadata


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=lambda name, kind, _: not (kind == "table" and (name or "").startswith("events_")),
    )
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_run() -> None:
    database_url = os.environ.get("JELMORE_DATABASE_URL")
    if not database_url:
        raise SystemExit("set JELMORE_DATABASE_URL to the database to migrate: postgresql://user@host:port/name")
    database = engine(database_url)
    try:
        async with database.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await database.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    asyncio.run(_connect_and_run())
