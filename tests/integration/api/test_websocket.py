"""The WebSocket of a session, as clients have it: uvicorn, the websockets client, real servers."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from jelmore_api.approvals.schemas import Answer
from jelmore_api.errors import session_ended
from jelmore_api.postgres import Postgres
from jelmore_api.stream import room as room_module
from jelmore_api.stream import rooms as rooms_module
from jelmore_api.stream.replay import Replay
from jelmore_api.stream.rooms import Rooms
from jelmore_api.stream.websocket import StreamRequest, serve
from jelmore_contract.events import EventType
from tests.support.log_publisher import Connect, LogPublisher
from tests.support.session_rig import eventually

LIMIT = 20.0


class Served:
    """One session, served at `url`. What clients ask is kept in `asked`."""

    def __init__(self, rooms: Rooms, replay: Replay, log: LogPublisher) -> None:
        self.rooms = rooms
        self.replay = replay
        self.log = log
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.url = ""

    async def endpoint(self, websocket: WebSocket) -> None:
        query = websocket.query_params
        request = StreamRequest(
            self.log.key, int(query.get("after", "0")), query.get("deltas") == "true", query.get("batch") == "true"
        )
        await websocket.accept()
        await serve(websocket, self.replay, request, self.carry_out)

    async def carry_out(self, kind: str, fields: dict[str, object]) -> Mapping[str, object]:
        if kind == "interrupt":
            raise session_ended(self.log.key.session_id)
        if kind == "answer":
            Answer.model_validate(fields)
        self.asked.append((kind, fields))
        return {"input_id": "an-id"}

    @contextlib.asynccontextmanager
    async def client(self, query: str = "") -> AsyncIterator["Talk"]:
        async with connect(f"{self.url}{query}", max_size=None) as connection:
            yield Talk(connection)


class Talk:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT):
            received: dict[str, Any] = json.loads(await self.connection.recv())
            return received

    async def until(self, event_type: str) -> list[dict[str, Any]]:
        """All frames up to and with the first of that type."""
        frames = [await self.receive()]
        while frames[-1]["event_type"] != event_type:
            frames.append(await self.receive())
        return frames

    async def ask(self, frame: str) -> dict[str, Any]:
        await self.connection.send(frame)
        return (await self.until("stream.reply"))[-1]

    async def closed(self) -> int:
        """The close code, once everything before it was read."""
        async with asyncio.timeout(LIMIT):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code


@pytest.fixture
async def served(log: LogPublisher, log_connect: Connect, database_url: str) -> AsyncIterator[Served]:
    client = await log_connect()
    async with Postgres(database_url) as postgres:
        rooms = Rooms(client)
        made = Served(rooms, Replay(client, postgres, rooms), log)
        app = Starlette(routes=[WebSocketRoute("/", made.endpoint)])
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            made.url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
            config = uvicorn.Config(
                app, log_level="warning", lifespan="off", ws_per_message_deflate=False, timeout_graceful_shutdown=1
            )
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve([listener]))
            yield made
            await rooms.close()
            server.should_exit = True
            await task


async def test_past_ready_and_present(served: Served) -> None:
    first = await served.log.created()
    async with served.client() as talk:
        frames = await talk.until("stream.ready")
        assert [frame["event_type"] for frame in frames] == ["session.created", "stream.ready"]
        assert frames[0]["seq"] == frames[1]["seq"] == first
        seq = await served.log.line(b'{"type":"system"}')
        frame = await talk.receive()
        assert list(frame) == ["seq", "id", "event_type", "session_id", "timestamp", "payload"]
        assert frame["seq"] == seq
        assert frame["payload"] == {"type": "system"}


async def test_the_past_in_batches(served: Served) -> None:
    last = await served.log.lines(*[b"{}"] * 120)
    async with served.client("?batch=true&after=10") as talk:
        frames = await talk.until("stream.ready")
        batches = [frame["events"] for frame in frames[:-1]]
        assert max(len(events) for events in batches) == 50
        assert [event["seq"] for events in batches for event in events] == [*range(11, last + 1)]
        await served.log.line(b"{}")
        assert (await talk.receive())["event_type"] == "session.output"


async def test_commands_are_answered(served: Served) -> None:
    async with served.client() as talk:
        reply = await talk.ask('{"type": "input", "id": 7, "text": "hi"}')
        assert reply == {"event_type": "stream.reply", "id": 7, "ok": True, "input_id": "an-id"}
        reply = await talk.ask('{"type": "interrupt"}')
        assert (reply["ok"], reply["problem"]["status"]) == (False, 409)
    assert served.asked == [("input", {"text": "hi"})]


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        ("no JSON", "The frame is no JSON."),
        ("[]", "The frame is no JSON object."),
        ("[" * 100_000, "The frame is no JSON."),
        ("{}", "type must be one of input, interrupt, answer."),
        ('{"type": "configure"}', "type must be one of"),
        ('{"type": "input", "id": {}}', "id must be"),
        ('{"type": "answer", "decision": "allow", "more": 1}', "more: there is no such field"),
        ('{"type": "answer", "decision": "maybe"}', "decision:"),
    ],
)
async def test_what_is_no_command_changes_nothing(served: Served, frame: str, detail: str) -> None:
    async with served.client() as talk:
        reply = await talk.ask(frame)
        assert reply["ok"] is False
        assert reply["problem"]["detail"].startswith(detail)
        assert (await talk.ask('{"type": "input"}'))["ok"] is True
    assert served.asked == [("input", {})]


async def test_the_end_closes_with_1000(served: Served) -> None:
    await served.log.created()
    async with served.client() as live:
        await live.until("stream.ready")
        last = await served.log.event(EventType.TERMINATED, reason="deleted")
        await live.until("session.terminated")
        assert await live.closed() == 1000
    async with served.client(f"?after={last}") as late:
        assert (await late.receive())["event_type"] == "stream.ready"
        assert await late.closed() == 1000


async def test_what_is_no_text_closes_with_1008(served: Served) -> None:
    async with served.client() as talk:
        await talk.connection.send(b"\0")
        assert await talk.closed() == 1008


async def test_shutting_down_closes_with_1013(served: Served) -> None:
    async with served.client() as talk:
        await talk.until("stream.ready")
        await served.rooms.close()
        assert await talk.closed() == 1013


async def test_who_does_not_read_is_closed_with_1013(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MOST_CHARACTERS", 1 << 20)
    async with connect(served.url, max_size=None, max_queue=1) as connection:
        talk = Talk(connection)
        await talk.until("stream.ready")
        connection.transport.pause_reading()
        line = json.dumps({"text": "x" * 400_000}).encode()
        async with served.client() as other:
            await other.until("stream.ready")
            for _ in range(40):
                seq = await served.log.line(line)
                assert (await other.receive())["seq"] == seq
            (room,) = served.rooms._rooms.values()
            await eventually(lambda: len(room.members) == 1, what="the server lets go of who does not read")
        connection.transport.resume_reading()
        assert await talk.closed() == 1013


async def test_all_that_the_clients_used_goes_with_them(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms_module, "LINGER", 0.01)

    async def come_and_go() -> None:
        async with served.client("?deltas=true") as talk:
            await talk.until("stream.ready")
        await eventually(lambda: not len(served.rooms))

    async def no_consumer() -> None:
        async with asyncio.timeout(LIMIT):
            while True:
                if not (await served.log.client.jsm().stream_info("JELMORE")).state.consumer_count:
                    return
                await asyncio.sleep(0.01)

    await come_and_go()
    await no_consumer()
    tasks = len(asyncio.all_tasks())
    for _ in range(3):
        await come_and_go()
    await eventually(lambda: len(asyncio.all_tasks()) == tasks)
    await no_consumer()
