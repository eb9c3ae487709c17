"""The API as its users meet it: over a real socket, with real servers behind it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from jelmore_api.serve import server
from jelmore_api.services import Services
from jelmore_api.settings import Settings
from jelmore_contract.subjects import BUCKET, STREAM, SessionKey
from jelmore_local.servers import Endpoints
from jelmore_local.servers.nats import Nats
from tests.support.log_publisher import LogPublisher
from tests.support.servers import connect

LIMIT = 30.0


@dataclass
class RunningApi:
    http: httpx.AsyncClient
    settings: Settings
    services: Services

    @property
    def ws_url(self) -> str:
        return str(self.http.base_url).replace("http://", "ws://").rstrip("/")

    async def create(self, **body: Any) -> str:
        """The id of a new session."""
        answer = await self.http.post("/api/v1/session", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[RunningApi]:
    """On a free port, in this event loop, until the end of the block."""
    running = server(settings)
    task = asyncio.create_task(running.serve())
    try:
        await until(lambda: running.started or task.done())
        host, port = running.servers[0].sockets[0].getsockname()[:2]
        services = running.lifespan.state["services"]
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=LIMIT) as http:
            yield RunningApi(http, settings, services)
    finally:
        running.should_exit = True
        await task


async def until(condition: Callable[[], Any], limit: float = LIMIT) -> Any:
    """The first value of the condition that is true; it may be a coroutine function. `limit`: seconds."""
    async with asyncio.timeout(limit):
        while True:
            value = condition()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)


@pytest.fixture
def api_settings(fresh_nats: Nats, database_url: str, endpoints: Endpoints, tmp_path: Path) -> Settings:
    (tmp_path / "projects").mkdir()
    return Settings(
        port=0,
        home=tmp_path / "home",
        workspace_roots=(tmp_path / "projects",),
        nats_url=SecretStr(fresh_nats.url),
        nats_credentials=fresh_nats.credentials,
        database_url=SecretStr(database_url),
        redis_url=SecretStr(endpoints.redis_url),
        model="demo",
    )


@pytest.fixture
async def api(api_settings: Settings) -> AsyncIterator[RunningApi]:
    """Ready: everything that it needs is there."""
    async with serving(api_settings) as running:
        await until(lambda: _ready(running))
        yield running


async def _ready(running: RunningApi) -> bool:
    return (await running.http.get("/readyz")).status_code == 200


@pytest.fixture
async def bus(fresh_nats: Nats) -> AsyncIterator[Client]:
    """A client with all rights on the NATS of the test's API."""
    client = await connect(fresh_nats.url, fresh_nats.credentials)
    yield client
    await client.close()


def agent_of(bus: Client, session_id: str, namespace: str = "default") -> LogPublisher:
    """Tells of a session what its agent, or whoever reconciles, would."""
    return LogPublisher(bus, SessionKey(namespace, session_id))


async def mirrored(api: RunningApi, seq: int) -> None:
    """Returns once the log up to `seq` is in PostgreSQL."""

    async def reached() -> bool:
        row = await api.services.postgres.row("SELECT seq FROM log_position")
        return row is not None and row["seq"] >= seq

    await until(reached)


async def footprint(bus: Client) -> dict[str, Any]:
    """All that a call may change: how many messages there are by subject, in the log and in the store of resources."""
    jetstream = bus.jetstream()
    found: dict[str, Any] = {}
    for stream in (STREAM, f"KV_{BUCKET}"):
        info = await jetstream.stream_info(stream, subjects_filter=">")
        found |= {stream: info.state.last_seq, **(info.state.subjects or {})}
    return found


async def resource(bus: Client, session_id: str) -> dict[str, Any] | None:
    """Metadata and spec as they are stored."""
    bucket = await bus.jetstream().key_value(BUCKET)
    with contextlib.suppress(Exception):
        entry = await bucket.get(f"default.{session_id}.spec")
        value: dict[str, Any] = json.loads(entry.value or b"")
        return value
    return None
