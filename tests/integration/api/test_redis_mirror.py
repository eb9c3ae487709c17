"""Redis: behind PostgreSQL, rebuilt from it when it was lost, and never in its way."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from jelmore_api.persister import hot, redis_mirror
from jelmore_api.persister.hot import REDIS_ERRORS, output_buffer_sizes, output_list, session_hash
from jelmore_api.persister.persister import Persister
from jelmore_api.persister.redis_mirror import Mirror
from jelmore_contract.events import EventType
from jelmore_local.servers.ports import Ports
from jelmore_local.servers.valkey import Valkey
from tests.support.log_publisher import LogPublisher
from tests.support.session_rig import eventually

LIMIT = 30.0


@pytest.fixture
async def valkey(tmp_path: Any) -> AsyncIterator[Valkey]:
    """A server of the test's own: the mirror's keys are named without the database."""
    home = tmp_path / "valkey-home"
    for name in ("run", "logs", "secrets"):
        (home / name).mkdir(parents=True)
    server = Valkey(home, Ports(home / "run" / "ports.json"))
    await server.start()
    yield server
    await asyncio.shield(server.stop())


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator["Redis"]:
    async with contextlib.aclosing(Redis.from_url(valkey.url, socket_timeout=2)) as client:
        yield client


@contextlib.asynccontextmanager
async def running(log: LogPublisher, database_url: str, redis: "Redis") -> AsyncIterator[Persister]:
    persister = Persister(log.client, database_url, Mirror(redis))
    task = asyncio.create_task(persister.run())
    try:
        yield persister
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tail(redis: "Redis", log: LogPublisher) -> list[dict[str, Any]]:
    entries = await redis.lrange(output_list(log.key.session_id), 0, -1)
    return [json.loads(entry) for entry in entries]


async def until_tail(redis: "Redis", log: LogPublisher, last: int, length: int) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            with contextlib.suppress(*REDIS_ERRORS):
                entries = await tail(redis, log)
                if entries and entries[-1]["seq"] == last:
                    assert len(entries) == length
                    return
            await asyncio.sleep(0.02)


async def test_hot_state_and_a_capped_tail(
    log: LogPublisher, database_url: str, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (hot, redis_mirror):
        monkeypatch.setattr(module, "TAIL", 10)
    async with running(log, database_url, redis) as persister:
        await log.created()
        last = await log.lines(rb'{"a":"\ud83d"}', *[b"{}"] * 7)
        await until_tail(redis, log, last, 8)
        last = await log.lines(*[b"{}"] * 7)
        await until_tail(redis, log, last, 10)
        assert await output_buffer_sizes(redis, [log.key.session_id, "other"]) == [10, 0]
        await log.event(EventType.STATE_CHANGED, to="active")
        last = await log.line(b"{}")
        await until_tail(redis, log, last, 10)
        state = await redis.hgetall(session_hash(log.key.session_id))
        assert state[b"state"] == b"active"
        assert state[b"last_seq"] == str(last).encode()
        await eventually(lambda: persister.health["redis"] == (True, ""))
    assert (await tail(redis, log))[-1]["session_id"] == log.key.session_id


async def test_rebuilt_when_it_was_lost(log: LogPublisher, database_url: str, redis: "Redis") -> None:
    await log.created()
    async with running(log, database_url, redis):
        last = await log.lines(*[b"{}"] * 20)
        await until_tail(redis, log, last, 20)
        before = await tail(redis, log)
        await redis.flushall()
        await until_tail(redis, log, last, 20)  # by itself, without anything new
        assert await tail(redis, log) == before
        await redis.flushall()
        last = await log.line(b"{}")
        await until_tail(redis, log, last, 21)
    # Behind: what was stored meanwhile is there after the next start, once.
    async with running(log, database_url, Redis.from_url("redis://127.0.0.1:1")):
        last = await log.lines(*[b"{}"] * 5)
    async with running(log, database_url, redis):
        await until_tail(redis, log, last, 26)


async def test_redis_away_holds_nothing_up(
    log: LogPublisher, database_url: str, valkey: Valkey, redis: "Redis"
) -> None:
    await log.created()
    async with running(log, database_url, redis) as persister:
        await until_tail(redis, log, await log.line(b"{}"), 1)
        await valkey.stop()
        last = await log.lines(*[b"{}"] * 20)
        await eventually(lambda: not persister.health["redis"].ok)
        assert persister.health["postgres"].ok
        await valkey.restart()
        await until_tail(redis, log, last, 21)
        await eventually(lambda: persister.health["redis"].ok)


async def test_what_ended_goes_after_a_while(log: LogPublisher, database_url: str, redis: "Redis") -> None:
    await log.created()
    async with running(log, database_url, redis):
        await until_tail(redis, log, await log.line(b"{}"), 1)
        assert await redis.ttl(output_list(log.key.session_id)) == -1
        await log.event(EventType.TERMINATED, reason="deleted")
        async with asyncio.timeout(LIMIT):
            while True:
                if await redis.ttl(output_list(log.key.session_id)) > 0:
                    return
                await asyncio.sleep(0.02)
