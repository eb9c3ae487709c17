"""NATS, PostgreSQL and Valkey for tests: the product's own, one of each a test worker, in a folder that goes with it.

Tests keep apart by names: a namespace (`namespace`), a database (`database_url`), or, where a test breaks the server
itself or the stream as a whole, a server of its own (`fresh_nats`).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from jelmore_api.migrations import migrate
from jelmore_local.servers import Endpoints, Servers
from jelmore_local.servers.nats import Nats
from jelmore_local.servers.ports import Ports
from jelmore_operator.identity import Identity

_TEMPLATE = "migrated"


def on_database(url: str, name: str) -> str:
    """The same server's URL for another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def connect(url: str, credentials: Path) -> Client:
    """With all rights; comes back as often as the server does."""
    return await nats.connect(
        url, user_credentials=str(credentials), max_reconnect_attempts=-1, reconnect_time_wait=0.1
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def endpoints(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Endpoints]:
    """The worker's servers. What is in them is every test's: none may stop them or count what they hold."""
    async with Servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _template(endpoints: Endpoints) -> str:
    await execute(endpoints.postgres_url, f"CREATE DATABASE {_TEMPLATE}")
    await migrate(on_database(endpoints.postgres_url, _TEMPLATE))
    return _TEMPLATE


@pytest.fixture
async def database_url(endpoints: Endpoints, _template: str) -> str:
    """A migrated, empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(endpoints.postgres_url, f"CREATE DATABASE {name} TEMPLATE {_template}")
    # It is not dropped, which takes longer than making it: the whole folder goes.
    return on_database(endpoints.postgres_url, name)


@pytest.fixture
async def empty_database_url(endpoints: Endpoints) -> str:
    """A database of the test's own without any table."""
    name = f"empty_{uuid.uuid4().hex}"
    await execute(endpoints.postgres_url, f"CREATE DATABASE {name}")
    return on_database(endpoints.postgres_url, name)


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"t-{uuid.uuid4().hex[:16]}"


@pytest.fixture
def nats_identity(endpoints: Endpoints) -> Identity:
    """The keys of the worker's NATS: for sessions' credentials."""
    return Identity.load(endpoints.nats_identity)


@pytest.fixture
async def nats_core(endpoints: Endpoints) -> AsyncIterator[Client]:
    """A client of the worker's NATS with all rights."""
    client = await connect(endpoints.nats_url, endpoints.nats_credentials)
    yield client
    await client.close()


@pytest.fixture
async def fresh_nats(tmp_path: Path) -> AsyncIterator[Nats]:
    """A NATS of the test's own, without a stream: to be killed, stopped and `restart`ed at will."""
    home = tmp_path / "nats-home"
    for name in ("run", "logs", "secrets"):
        (home / name).mkdir(parents=True)
    server = Nats(home, Ports(home / "run" / "ports.json"))
    await server.start()
    yield server
    await asyncio.shield(server.stop())
