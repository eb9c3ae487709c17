"""Connections to PostgreSQL: the versions that are taken, TLS by the URL's own words, and what is wrong in a sentence.

The URL is libpq's: `sslmode`, `sslrootcert` (a file, or `system`), `sslcert`, `sslkey` and `passfile` are understood.
"""

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from jelmore_api.database.urls import asyncpg_url
from jelmore_contract.trouble import TlsRemedies, Trouble, Unsuitable, causes, connection_trouble

type Connection = asyncpg.Connection[asyncpg.Record]

#: What the statements are tested with; Jelmore is made for 16 and later.
LEAST_POSTGRES = 15
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_REMEDIES = TlsRemedies(
    "name the file of that authority's certificate by sslrootcert=FILE in JELMORE_DATABASE_URL",
    "name one that it knows by sslcert=FILE and sslkey=FILE in JELMORE_DATABASE_URL",
)


class UnsuitableDatabase(Unsuitable, asyncpg.InterfaceError):
    """One that answers and will not do, or an address that cannot be used."""


async def connect(database_url: str, **options: Any) -> Connection:
    """`options`: more of asyncpg's. Raises UnsuitableDatabase, ValueError for what is no PostgreSQL URL, and what
    asyncpg raises.
    """
    connection: Connection = await asyncpg.connect(usable_url(database_url), **options)
    try:
        await check_version(connection)
    except UnsuitableDatabase:
        await connection.close()
        raise
    return connection


async def check_version(connection: Connection) -> None:
    """Raises UnsuitableDatabase."""
    found = connection.get_server_version()
    if found.major < LEAST_POSTGRES:
        raise UnsuitableDatabase(
            f"is {found.major}.{found.minor}, but Jelmore needs {LEAST_POSTGRES} or later (16 or later is better):"
            " upgrade it"
        )


def usable_url(database_url: str) -> str:
    """As asyncpg takes it. Raises ValueError for what is no PostgreSQL URL, UnsuitableDatabase for a file that it names
    and that cannot be read.
    """
    parts = urlsplit(asyncpg_url(database_url))
    query = dict(parse_qsl(parts.query))
    for name in _FILES:
        if name in query and query[name] != "system" and not os.access(Path(query[name]).expanduser(), os.R_OK):
            raise UnsuitableDatabase(
                f"cannot be reached: the file of {name} in JELMORE_DATABASE_URL cannot be read: correct the path, or "
                "its owner and mode"
            )
    if query.get("sslrootcert") != "system":
        return parts.geturl()
    return parts._replace(query=urlencode(query | _system_authorities())).geturl()


def _system_authorities() -> dict[str, str]:
    """What libpq means by `system`; asyncpg wants the file."""
    found = ssl.get_default_verify_paths()
    return {"sslrootcert": found.cafile or found.openssl_cafile}


def engine(database_url: str) -> AsyncEngine:
    """For alembic: its connections are made as all others are. Raises ValueError for what is no PostgreSQL URL."""
    asyncpg_url(database_url)

    async def connected(*_: Any, **__: Any) -> Connection:
        return await connect(database_url)

    return create_async_engine("postgresql+asyncpg://", async_creator=connected, poolclass=NullPool)


def database_trouble(error: BaseException) -> Trouble:
    for cause in causes(error):
        if isinstance(cause, Unsuitable):
            return Trouble(str(cause))
        if isinstance(cause, asyncpg.InvalidPasswordError):
            return Trouble("refuses the password: correct it in JELMORE_DATABASE_URL")
        if isinstance(cause, asyncpg.InvalidAuthorizationSpecificationError):
            return Trouble(_not_allowed(str(cause)))
        if isinstance(cause, asyncpg.InvalidCatalogNameError):
            return Trouble("does not have the database that JELMORE_DATABASE_URL names: make it")
        if isinstance(cause, asyncpg.UndefinedTableError):
            return Trouble("has no tables of Jelmore yet: run `python -m jelmore_api.migrations`", lasting=False)
        if isinstance(cause, asyncpg.CannotConnectNowError):
            return Trouble("is starting or stopping", lasting=False)
        if isinstance(cause, ConnectionError) and "rejected SSL" in str(cause):
            return Trouble("does not speak TLS: switch it on in the server, or correct sslmode in JELMORE_DATABASE_URL")
        if isinstance(cause, asyncpg.PostgresError):
            said = ", ".join([type(cause).__name__, *str(cause).splitlines()[:1]])
            return Trouble(f"answers with an error ({said})", lasting=False)
    return connection_trouble(error, _REMEDIES)


def _not_allowed(said: str) -> str:
    if "certificate" in said:
        return f"wants a client certificate: {_REMEDIES.certificate}"
    if "no encryption" in said:
        return "lets nobody in without TLS: add sslmode=verify-full to JELMORE_DATABASE_URL"
    return "does not let this user in from here: correct JELMORE_DATABASE_URL, or the server's pg_hba.conf"
