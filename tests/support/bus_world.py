"""Everything that reads the bus, at once: API with persister and rooms, supervisor, agents; the CLI is a stand-in."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import websockets
from nats.aio.client import Client
from nats.aio.msg import Msg

from jelmore_contract.subjects import SessionKey
from tests.support.api import RunningApi, mirrored, serving, until
from tests.support.flush import flush
from tests.support.supervised import Supervised, supervising


@dataclass
class BusWorld:
    """`dead`: what was told of dead letters."""

    api: RunningApi
    supervised: Supervised
    dead: list[dict[str, Any]] = field(default_factory=list)
    watched: "list[WatchedSession]" = field(default_factory=list)

    @property
    def client(self) -> Client:
        """With all rights."""
        return self.supervised.client

    async def session(self, **spec: Any) -> "WatchedSession":
        """A new session, idle, and watched over the WebSocket from its start."""
        session_id = await self.api.create(**spec)
        watched = WatchedSession(self, SessionKey("default", session_id))
        self.watched.append(watched)
        watched.reading = asyncio.create_task(watched.read())
        await watched.until(lambda: watched.states()[-1:] == ["idle"])
        return watched

    async def publish_raw(self, subject: bytes, data: bytes, headers: bytes | None = None) -> None:
        """As it is, without any check of the client's."""
        if headers is None:
            line = b"PUB %s %d\r\n" % (subject, len(data))
        else:
            line = b"HPUB %s %d %d\r\n%s" % (subject, len(headers), len(headers) + len(data), headers)
        self.client._pending.append(line + data + b"\r\n")
        await self.client._flush_pending()
        await flush(self.client)

    async def persisted(self) -> int:
        """Waits until PostgreSQL has all that the stream has; the last sequence."""
        last = (await self.client.jetstream().stream_info("JELMORE")).state.last_seq
        await mirrored(self.api, last)
        return last

    async def rows(self, statement: str) -> list[Any]:
        return list(await self.api.services.postgres.rows(statement))

    async def hear(self, message: Msg) -> None:
        self.dead.append({"on": message.subject, **json.loads(message.data)})


@dataclass
class WatchedSession:
    """`events`: what the WebSocket has brought."""

    world: BusWorld
    key: SessionKey
    events: list[dict[str, Any]] = field(default_factory=list)
    reading: "asyncio.Task[None] | None" = None

    async def read(self) -> None:
        url = f"{self.world.api.ws_url}/api/v1/session/{self.key.session_id}/stream"
        async with websockets.connect(url, max_size=None) as stream:
            async for frame in stream:
                event = json.loads(frame)
                if "seq" in event and event["event_type"].startswith("session."):
                    self.events.append(event)

    async def until(self, condition: Any) -> None:
        """While the stream goes on."""

        def checked() -> bool:
            assert self.reading is not None
            if self.reading.done():
                self.reading.result()
            return bool(condition())

        await until(checked)

    def payloads(self, kind: str) -> list[dict[str, Any]]:
        return [event["payload"] for event in self.events if event["event_type"] == f"session.{kind}"]

    def states(self) -> list[str]:
        return [payload["to"] for payload in self.payloads("state_changed")]

    def input_states(self, input_id: str) -> list[str]:
        return [payload["state"] for payload in self.payloads("input") if payload["input_id"] == input_id]

    async def runs_an_input(self) -> None:
        """Sends one over REST and sees it through."""
        path = f"/api/v1/session/{self.key.session_id}/input"
        answer = await self.world.api.http.post(path, json={"text": "a good one"})
        input_id = answer.raise_for_status().json()["input_id"]
        await self.until(lambda: self.input_states(input_id)[-1:] == ["completed"])
        assert self.input_states(input_id) == ["queued", "delivered", "started", "completed"]

    async def close(self) -> None:
        assert self.reading is not None
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)


@pytest.fixture
async def bus_world(supervised: Supervised, api_settings: Any) -> AsyncIterator[BusWorld]:
    async with supervising(supervised.settings), serving(api_settings) as api:

        async def ready() -> bool:
            return (await api.http.get("/readyz")).status_code == 200

        await until(ready)
        world = BusWorld(api, supervised)
        await supervised.client.subscribe("jelmore.dead.*", cb=world.hear)
        await flush(supervised.client)
        yield world
        for watched in world.watched:
            await watched.close()
        for item in (await api.http.get("/api/v1/sessions")).json()["items"]:
            await api.http.delete(f"/api/v1/session/{item['id']}")

        async def ended() -> bool:
            items = (await api.http.get("/api/v1/sessions")).json()["items"]
            return all(item["status"] == "terminated" for item in items)

        await until(ended)
