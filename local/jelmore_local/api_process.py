"""The API's process: it imports everything while the servers start, and is told where they are when they run.

`python -m jelmore_local.api_process` reads one line from stdin, a JSON object with the API's settings as environment
variables; brings the database to the newest schema; serves. So passwords are neither in its arguments nor in the
environment that it was started with.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import asyncpg

import jelmore_api
from jelmore_api.__main__ import main as serve
from jelmore_api.database.connecting import connect, database_trouble

VERSIONS = Path(jelmore_api.__path__[0]) / "migrations" / "versions"
_REVISION = re.compile(r"""^(down_)?revision\b[^=]*=\s*["']([^"']+)["']""", re.MULTILINE)


def main() -> None:
    told = sys.stdin.readline()
    if not told:
        return  # whoever started us has given up
    os.environ.update(json.loads(told))
    try:
        asyncio.run(_bring_up_to_date(os.environ["JELMORE_DATABASE_URL"]))
    except Exception as error:
        sys.exit(f"the database cannot be brought to the newest schema: it {database_trouble(error).text}")
    serve()


async def _bring_up_to_date(database_url: str) -> None:
    """Migrates only where there is something to do: alembic is most of a second of imports."""
    if await _revision(database_url) == newest_revision(VERSIONS):
        return
    from jelmore_api.migrations import migrate

    await migrate(database_url)


async def _revision(database_url: str) -> str | None:
    connection = await connect(database_url)
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()


def newest_revision(versions: Path) -> str | None:
    """The revision that no other one comes after, read from the migrations' text."""
    revisions: set[str] = set()
    earlier: set[str] = set()
    for path in versions.glob("*.py"):
        for down, revision in _REVISION.findall(path.read_text()):
            (earlier if down else revisions).add(revision)
    newest = revisions - earlier
    return newest.pop() if len(newest) == 1 else None


if __name__ == "__main__":
    main()
