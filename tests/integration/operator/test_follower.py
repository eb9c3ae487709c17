"""A follower has the last message of every subject, whatever happens to server and stream."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from jelmore_local.servers.nats import Nats
from jelmore_operator.bus.follower import Feed, Follower
from tests.support.servers import connect

LIMIT = 20


class Mirror:
    """What a follower has told."""

    def __init__(self) -> None:
        self.last: dict[str, bytes] = {}
        self.synced_with: list[set[str]] = []
        self.changed = asyncio.Event()
        self.follower = Follower(Feed("S", ("s.>",)), self._take, self._synced)

    def _take(self, message) -> None:  # type: ignore[no-untyped-def]
        if message.data == b"bad":
            raise ValueError("not understood")
        self.last[message.subject] = message.data
        self.changed.set()

    def _synced(self, subjects: set[str]) -> None:
        self.synced_with.append(subjects)
        self.changed.set()

    async def until(self, **wanted: str) -> None:
        async with asyncio.timeout(LIMIT):
            while {f"s.{name}": value.encode() for name, value in wanted.items()} != self.last:
                self.changed.clear()
                await self.changed.wait()


async def make_stream(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s.>"]))


@pytest.fixture
async def bus(fresh_nats: Nats) -> Client:  # type: ignore[misc]
    client = await connect(fresh_nats.url, fresh_nats.credentials)
    yield client
    await client.close()


async def publish(client: Client, **messages: str) -> None:
    for name, value in messages.items():
        await client.jetstream().publish(f"s.{name}", value.encode())


async def test_last_messages_then_what_comes(bus: Client) -> None:
    await make_stream(bus)
    await publish(bus, a="1", b="2")
    await publish(bus, a="3")
    mirror = Mirror()
    task = asyncio.create_task(mirror.follower.run(bus))
    await mirror.until(a="3", b="2")
    await asyncio.wait_for(mirror.follower.synced.wait(), LIMIT)
    assert mirror.synced_with == [{"s.a", "s.b"}]
    await publish(bus, b="bad", c="4")
    await mirror.until(a="3", b="2", c="4")
    task.cancel()


async def test_a_stream_that_is_not_there_yet(bus: Client) -> None:
    mirror = Mirror()
    task = asyncio.create_task(mirror.follower.run(bus))
    await asyncio.sleep(0)
    assert not mirror.follower.synced.is_set()
    await make_stream(bus)
    await asyncio.wait_for(mirror.follower.synced.wait(), LIMIT)
    await publish(bus, a="1")
    await mirror.until(a="1")
    task.cancel()


async def test_after_any_doubt_it_starts_from_what_is_there(bus: Client) -> None:
    await make_stream(bus)
    await publish(bus, a="1", b="2")
    mirror = Mirror()
    task = asyncio.create_task(mirror.follower.run(bus))
    await mirror.until(a="1", b="2")
    await bus.jetstream().purge_stream("S", subject="s.b")
    mirror.follower.restart()
    async with asyncio.timeout(LIMIT):
        while {"s.a"} not in mirror.synced_with:
            mirror.changed.clear()
            await mirror.changed.wait()
    task.cancel()


async def test_a_consumer_that_is_gone_is_missed(bus: Client) -> None:
    await make_stream(bus)
    mirror = Mirror()
    task = asyncio.create_task(mirror.follower.run(bus))
    await asyncio.wait_for(mirror.follower.synced.wait(), LIMIT)
    (consumer,) = await bus.jetstream().consumers_info("S")
    await bus.jetstream().delete_consumer("S", consumer.name)
    await publish(bus, a="1")
    await mirror.until(a="1")
    task.cancel()
