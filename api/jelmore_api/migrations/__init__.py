"""The schema's history, and how a database is brought to its head: `alembic upgrade head`, or `migrate` in-process."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from jelmore_api.database.connecting import engine

# Of this advisory lock one process holds it while it migrates; another waits and then finds nothing left to do.
_MIGRATION_LOCK = 0x6A656C6D_6D696772


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(database_url: str) -> None:
    """Brings the database to the newest schema, in one transaction. Safe to call by several processes at once.

    Raises ValueError for what is no PostgreSQL URL; an error of asyncpg, OSError or SQLAlchemyError where the database
    cannot be reached or changed.
    """
    database = engine(database_url)
    try:
        async with database.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await database.dispose()


def upgrade(connection: Connection) -> None:
    """In the transaction that the connection is in."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
