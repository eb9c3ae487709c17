"""Following a session with real servers: every later event once, in order, wherever and whenever a client joins."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from nats.aio.client import Client

from jelmore_api.persister.persister import Persister
from jelmore_api.persister.stream import prepare_log
from jelmore_api.postgres import Postgres
from jelmore_api.stream import room as room_module
from jelmore_api.stream import rooms as rooms_module
from jelmore_api.stream.consumer import Entry
from jelmore_api.stream.replay import Replay
from jelmore_api.stream.room import Closing, TooSlow
from jelmore_api.stream.rooms import Rooms
from jelmore_contract.events import EventType, encode_event
from jelmore_contract.subjects import SessionKey, event_subject, live_subject
from jelmore_local.servers.nats import Nats
from tests.support.api import until
from tests.support.flush import flush
from tests.support.log_publisher import Connect, LogPublisher, is_notice, kill_nats, no_reports
from tests.support.servers import connect

LIMIT = 30.0


@dataclass
class Follower:
    """A client: what it saw, in order. `complete` is what it must be when all is there."""

    replay: Replay
    key: SessionKey
    after: int
    deltas: bool = False
    seqs: list[int] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False
    task: asyncio.Task[None] | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> "Follower":
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        while not self.ended:
            try:
                await self._follow()
            except TooSlow:
                continue  # it comes back with the last seq that it has
            except Closing:
                return

    async def _follow(self) -> None:
        last = self.seqs[-1] if self.seqs else self.after
        async with contextlib.aclosing(self.replay.follow(self.key, last, self.deltas)) as pages:
            async for page in pages:
                for frame in page.frames:
                    event = json.loads(frame.text)
                    if is_notice(event):
                        self.notices.append(event)
                    else:
                        assert event.get("seq", 0) == frame.seq
                        self.events.append(event)
                        if frame.seq:
                            self.seqs.append(frame.seq)
                self.moved.set()
        self.ended = True
        self.moved.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT):
            while not condition():
                assert self.task is not None
                if self.task.done():
                    self.task.result()
                    assert condition(), "the follower ended too early"
                    return
                self.moved.clear()
                waiting = asyncio.ensure_future(self.moved.wait())
                await asyncio.wait([waiting, self.task], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()

    async def until_ready(self) -> None:
        await self.until(lambda: self.notices)

    async def until_seq(self, seq: int) -> None:
        """Or, for a client that joined behind it, at once."""
        await self.until(lambda: (self.seqs[-1] if self.seqs else self.after) >= seq)

    async def until_ended(self) -> None:
        await self.until(lambda: self.ended)

    async def leave(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class World:
    """A replica's reading parts, and its persister, which can be stopped."""

    client: Client
    database_url: str
    postgres: Postgres
    rooms: Rooms
    replay: Replay
    persister: asyncio.Task[None] | None = None

    def persist(self) -> None:
        if self.persister is None:
            self.persister = asyncio.create_task(Persister(self.client, self.database_url).run())

    async def stop_persisting(self) -> None:
        if self.persister is not None:
            task, self.persister = self.persister, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def a_world(client: Client, database_url: str) -> AsyncIterator[World]:
    async with Postgres(database_url) as postgres:
        rooms = Rooms(client)
        world = World(client, database_url, postgres, rooms, Replay(client, postgres, rooms))
        try:
            yield world
        finally:
            await rooms.close()
            await world.stop_persisting()


@pytest.fixture
async def world(log_connect: Connect, database_url: str) -> AsyncIterator[World]:
    async with a_world(await log_connect(), database_url) as made:
        yield made


async def position(world: World, seq: int) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            row = await world.postgres.row("SELECT seq FROM log_position")
            if row is not None and row["seq"] >= seq:
                return
            await asyncio.sleep(0.02)


async def test_rows_stream_and_ring_make_one_log(world: World, log: LogPublisher) -> None:
    world.persist()
    await log.created()
    await position(world, await log.lines(*[b"{}"] * 700))
    await world.stop_persisting()
    middle = await log.lines(*[b"{}"] * 700)
    follower = Follower(world.replay, log.key, 0).start()
    await follower.until_ready()
    assert follower.notices == [{"event_type": "stream.ready", "seq": middle}]
    last = await log.lines(*[b"{}"] * 700)
    await follower.until(lambda: len(follower.seqs) == 2101)
    assert follower.seqs == [*range(1, last + 1)]
    await follower.leave()


async def test_a_replayed_event_is_the_live_one_byte_for_byte(world: World, log: LogPublisher) -> None:
    world.persist()
    live = Follower(world.replay, log.key, 0).start()
    await live.until_ready()
    await log.created()
    await log.lines(rb'{"a" : "\u0000\ud83d"}', b"\xff", '"é😀"'.encode(), b"\t{}\r")
    # Of another writer: other order, spaces, and a key that nobody knows.
    other = {"payload": {"reason": "x", "message": "y"}, "timestamp": "2026-01-01T00:00:00Z", "more": 1, "id": "an id"}
    body = json.dumps({**other, "event_type": "session.error", "session_id": log.key.session_id}, indent=1)
    last = await log.raw(event_subject(log.key, "session.error"), body.encode())
    await live.until_seq(last)
    await position(world, last)
    await world.rooms.close()

    async def texts(rooms: Rooms) -> list[str]:
        pages = Replay(world.client, world.postgres, rooms).follow(log.key, 0)
        async with contextlib.aclosing(pages):
            async for page in pages:
                return [frame.text for frame in page.frames]
        return []

    replayed = await texts(Rooms(world.client))
    assert [json.loads(text) for text in replayed] == live.events
    assert replayed[1].endswith(rb'"payload":{"a" : "\u0000\ud83d"}}'.decode())


async def test_subjects_that_are_no_text_are_passed_over(world: World, log: LogPublisher) -> None:
    await log.created()
    follower = Follower(world.replay, log.key, 0).start()
    await follower.until_ready()
    await log.publish_bytes(event_subject(log.key, "").encode() + b"\xff", b"{}")
    last = await log.line(b"{}")
    await follower.until_seq(last)
    assert follower.seqs == [1, last]
    await follower.leave()
    late = Follower(world.replay, log.key, 0).start()
    await late.until_ready()
    assert late.seqs == [1, last]
    await late.leave()


async def test_deltas_only_for_who_wants_them(world: World, log: LogPublisher) -> None:
    await log.created()
    with_deltas = Follower(world.replay, log.key, 0, deltas=True).start()
    without = Follower(world.replay, log.key, 0).start()
    for follower in (with_deltas, without):
        await follower.until_ready()
    await flush(world.client)
    delta = encode_event("x", "session.output_delta", log.key.session_id, "2026-01-01T00:00:00Z", b'{"delta":1}')
    for data in (b"noise", delta):
        await log.client.publish(live_subject(log.key), data)
    await flush(log.client)
    await with_deltas.until(lambda: len(with_deltas.events) == 2)
    last = await log.line(b"{}")
    for follower in (with_deltas, without):
        await follower.until_seq(last)
        await follower.leave()
    kinds = [event["event_type"] for event in with_deltas.events]
    assert kinds == ["session.created", "session.output_delta", "session.output"]
    assert len(without.events) == 2


async def test_a_session_that_ended_is_read_to_its_end(world: World, log: LogPublisher) -> None:
    await log.created()
    last = await log.event(EventType.TERMINATED, reason="deleted")
    for after in (0, last):
        follower = Follower(world.replay, log.key, after).start()
        await follower.until_ended()
        assert follower.seqs == [*range(after + 1, last + 1)]
        assert follower.notices == [{"event_type": "stream.ready", "seq": last}]


async def test_without_postgresql_the_stream_does(log_connect: Connect, log: LogPublisher) -> None:
    last = await log.lines(*[b"{}"] * 20)
    async with a_world(await log_connect(), "postgresql://nobody@127.0.0.1:1/none") as world:
        follower = Follower(world.replay, log.key, 5).start()
        await follower.until_ready()
        assert follower.seqs == [*range(6, last + 1)]
        await follower.leave()


async def test_kills_of_nats_are_not_seen(world: World, log: LogPublisher, fresh_nats: Nats) -> None:
    last = await log.created()
    follower = Follower(world.replay, log.key, 0).start()
    await follower.until_ready()
    for _ in range(2):
        await log.lines(*[b"{}"] * 50)
        await kill_nats(fresh_nats)
        last = await publish_again(log)
        await follower.until_seq(last)
    assert follower.seqs == [*range(1, last + 1)]
    await follower.leave()


async def publish_again(log: LogPublisher) -> int:
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await log.line(b"{}")
            except Exception:
                await asyncio.sleep(0.05)


async def test_who_does_not_keep_up_falls_out(world: World, log: LogPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MOST_FRAMES", 100)
    await log.created()
    overrun = asyncio.Event()
    pages = world.replay.follow(log.key, 0, overrun=overrun.set)
    async with contextlib.aclosing(pages):
        await anext(pages)
        await anext(pages)  # ready
        await log.line(b"{}")
        await anext(pages)
        await log.lines(*[b"{}"] * 150)
        async with asyncio.timeout(LIMIT):
            await overrun.wait()
        with pytest.raises(TooSlow):
            await anext(pages)


async def test_who_knows_more_than_the_room_is_told_nothing_twice(
    world: World, log: LogPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from another replica, say, and here the connection was lost for a moment."""
    late = list[tuple[room_module.Room, Entry]]()
    behind = False
    take = room_module.Room._take

    def maybe(room: room_module.Room, entry: Entry) -> None:
        if behind:
            late.append((room, entry))
        else:
            take(room, entry)

    monkeypatch.setattr(room_module.Room, "_take", maybe)
    await log.created()
    watching = Follower(world.replay, log.key, 0).start()
    await watching.until_ready()
    behind = True
    last = await log.lines(*[b"{}"] * 5)
    follower = Follower(world.replay, log.key, last - 2).start()

    def joined() -> bool:
        return len(late) == 5 and [member.reading for member in late[0][0].members] == [True, True]

    await until(joined)
    behind = False
    for room, entry in late:
        take(room, entry)
    for each in (watching, follower):
        await each.until_seq(last)
        await each.leave()
    assert watching.seqs == [*range(1, last + 1)]
    assert follower.seqs == [last - 1, last]


async def test_closing_sends_everybody_away(world: World, log: LogPublisher) -> None:
    await log.created()
    pages = world.replay.follow(log.key, 0)
    await anext(pages)
    await anext(pages)
    waiting = asyncio.create_task(anext(pages))
    await asyncio.sleep(0)
    await world.rooms.close()
    with pytest.raises(Closing):
        await waiting
    with pytest.raises(Closing):
        await anext(world.replay.follow(log.key, 0))


async def test_the_end(world: World, log: LogPublisher) -> None:
    assert await world.replay.end(log.key) == (0, False)
    first = await log.created()
    await LogPublisher(log.client).created()
    assert await world.replay.end(log.key) == (first, False)
    last = await log.event(EventType.TERMINATED, reason="deleted")
    assert await world.replay.end(log.key) == (last, True)
    world.persist()
    await position(world, last)
    await world.stop_persisting()
    await world.client.jsm().purge_stream("JELMORE")
    assert await world.replay.end(log.key) == (last, True)


class Machine(RuleBasedStateMachine):
    """One session, any clients; the class's fields are set by the test."""

    runner: asyncio.Runner
    world: World
    client: Client  # the publishers'
    followers = Bundle("followers")

    def __init__(self) -> None:
        super().__init__()
        self.log = LogPublisher(self.client)
        self.stored: list[int] = []
        self.publishing: list[asyncio.Task[None]] = []
        self.present: list[Follower] = []

    async def publish(self, count: int, together: bool) -> None:
        if together:
            last = await self.log.lines(*[b"{}"] * count)
            self.stored += range(last - count + 1, last + 1)
        else:
            for _ in range(count):
                self.stored.append(await self.log.line(b"{}"))

    @rule(count=st.integers(1, 40), together=st.booleans())
    def publishes(self, count: int, together: bool) -> None:
        self.runner.run(self.settle())
        self.runner.run(self.publish(count, together))

    @rule(count=st.integers(1, 40))
    def publishes_while_the_rest_goes_on(self, count: int) -> None:
        async def begin() -> None:
            await self.settle()
            self.publishing.append(asyncio.create_task(self.publish(count, together=False)))

        self.runner.run(begin())

    async def settle(self) -> None:
        await asyncio.gather(*self.publishing)
        self.publishing.clear()

    @rule()
    def noise(self) -> None:
        self.runner.run(self.log.raw(event_subject(self.log.key, "session.output"), b"noise"))

    @rule(target=followers, where=st.floats(0, 1))
    def joins(self, where: float) -> Follower:
        after = [0, *self.stored][round(where * len(self.stored))]
        follower = Follower(self.world.replay, self.log.key, after)
        self.present.append(follower)
        self.runner.run(self.starts(follower))
        return follower

    async def starts(self, follower: Follower) -> None:
        follower.start()

    @rule(target=followers, follower=consumes(followers))
    def leaves_and_comes_back(self, follower: Follower) -> Follower:
        self.runner.run(follower.leave())
        self.runner.run(self.starts(follower))
        return follower

    @rule(follower=consumes(followers))
    def leaves(self, follower: Follower) -> None:
        self.runner.run(follower.leave())
        self.present.remove(follower)

    @rule(seconds=st.floats(0, 0.03))
    def time_passes(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule()
    def the_connection_is_cut(self) -> None:
        self.runner.run(self.world.client.force_reconnect())

    @rule()
    def persists(self) -> None:
        async def begin() -> None:
            self.world.persist()

        self.runner.run(begin())

    @rule()
    def stops_persisting(self) -> None:
        self.runner.run(self.world.stop_persisting())

    @invariant()
    def nothing_is_missing_doubled_or_out_of_order(self) -> None:
        for follower in self.present:
            expected = [seq for seq in self.stored if seq > follower.after]
            # A live client may be ahead of the acknowledgement that the publisher waits for.
            assert follower.seqs[: len(expected)] == expected[: len(follower.seqs)]

    def teardown(self) -> None:
        async def end() -> None:
            await self.settle()
            for follower in self.present:
                expected = [seq for seq in self.stored if seq > follower.after]
                await follower.until_ready()
                await follower.until_seq(max(expected, default=0))
                assert follower.seqs == expected
                await follower.leave()

        self.runner.run(end())


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whoever_joins_whenever(
    runner: asyncio.Runner, fresh_nats: Nats, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "MOST_FRAMES", 16)
    monkeypatch.setattr(rooms_module, "LINGER", 0.02)

    stack = contextlib.AsyncExitStack()

    async def close(client: Client) -> None:
        # One that was cut off and is not back yet would write what is left to a connection that is no more.
        await until(lambda: client.is_connected)
        await client.close()

    async def connected() -> Client:
        client = await connect(fresh_nats.url, fresh_nats.credentials)
        stack.push_async_callback(close, client)
        return client

    async def build() -> None:
        Machine.client = await connected()
        await prepare_log(Machine.client, 0, no_reports)
        Machine.world = await stack.enter_async_context(a_world(await connected(), database_url))

    Machine.runner = runner
    runner.run(build())
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        runner.run(stack.aclose())
