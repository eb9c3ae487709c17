"""Following through lost connections, with a server that loses them as the test wants."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from jelmore import AsyncSession, SessionView, retries
from jelmore.config import Target
from jelmore.events import Event, Output, Ready
from jelmore.problems import Denied, JelmoreError, NotFound, NotListening, TimedOut, Unavailable
from jelmore.stream import Stream
from jelmore.transport import Transport

FOLLOWING_S = 60.0
ID = "550e8400-e29b-41d4-a716-446655440000"
VIEW = {
    "name": "demo",
    "namespace": "default",
    "status": "idle",
    "output_buffer_size": 0,
    "current_directory": None,
    "created_at": None,
    "last_activity": None,
}


def event(seq: int) -> str:
    head = f'{{"seq":{seq},"id":"e","event_type":"session.output","session_id":"{ID}","timestamp":"2025"'
    return f'{head},"payload":{{"a": "\\ud800é"}}}}'


def ready(seq: int) -> str:
    return json.dumps({"event_type": "stream.ready", "seq": seq})


def close(code: int) -> Callable[[ServerConnection], None]:
    return lambda connection: connection.close(code, "a reason")


def cut(connection: ServerConnection) -> None:
    """As a machine that goes away."""
    connection.socket.close()


def hold(connection: ServerConnection) -> None:
    """Says nothing more until the client goes."""
    with suppress(ConnectionClosed):
        connection.recv()


type Step = str | Callable[[ServerConnection], None]


class Server:
    """Plays one script a connection: frames, then how it ends. A status refuses the connection."""

    def __init__(self, scripts: Sequence[Sequence[Step] | HTTPStatus]) -> None:
        self._scripts = list(scripts)
        self.afters: list[int] = []
        self.url = ""
        self.stop: Callable[[], None] = lambda: None

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.afters.append(int(parse_qs(urlsplit(request.path).query)["after"][0]))
        script = self._scripts[0]
        if not isinstance(script, HTTPStatus):
            return None
        self._scripts.pop(0)
        return connection.respond(script, json.dumps({"detail": f"Refused: {script}."}))

    def play(self, connection: ServerConnection) -> None:
        script = self._scripts.pop(0)
        assert not isinstance(script, HTTPStatus)
        for step in script:
            if isinstance(step, str):
                connection.send(step)
            else:
                step(connection)


@contextmanager
def playing(*scripts: Sequence[Step] | HTTPStatus) -> Iterator[Server]:
    server = Server(scripts)
    with serve(server.play, "127.0.0.1", 0, process_request=server.check) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        server.stop = listening.shutdown
        server.url = f"http://127.0.0.1:{listening.socket.getsockname()[1]}"
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_SHORTEST_S", 0.01)


async def frames(server: Server, after: int = 0, lost: Callable[[], None] = lambda: None) -> list[Event | Ready]:
    async with closing_transport(Target(server.url)) as transport:
        return [came async for came in Stream(transport, ID, after, lost=lost).frames()]


@asynccontextmanager
async def closing_transport(target: Target) -> AsyncIterator[Transport]:
    transport = Transport(target)
    try:
        yield transport
    finally:
        await transport.close()


async def test_it_ends_with_the_session() -> None:
    with playing([event(5), ready(5), event(7), close(1000)]) as server:
        came = await frames(server)
    assert [type(one) for one in came] == [Output, Ready, Output]
    assert isinstance(came[0], Output)
    assert came[0].content == '{"a": "\\ud800é"}'.encode()
    assert server.afters == [0]


async def test_it_comes_back_after_the_last_event_however_the_connection_is_lost() -> None:
    losses: list[None] = []
    with playing(
        [cut],
        [event(5), close(1013)],
        [event(6), ready(6), cut],
        HTTPStatus.SERVICE_UNAVAILABLE,
        [cut],
        [close(1001)],
        [event(6), event(9), close(1000)],  # 6 again: an old event is no news
    ) as server:
        came = await frames(server, 3, lambda: losses.append(None))
        assert [one.seq for one in came if isinstance(one, Event)] == [5, 6, 9]
    assert server.afters == [3, 3, 5, 6, 6, 6, 6]
    assert len(losses) == 3  # once for each time, however often it is tried


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (HTTPStatus.NOT_FOUND, NotFound),
        (HTTPStatus.FORBIDDEN, Denied),
        (HTTPStatus.SERVICE_UNAVAILABLE, Unavailable),
        ([close(1008)], Denied),
        (["no json"], JelmoreError),
        (["[]"], JelmoreError),
    ],
)
async def test_at_first_an_error_is_an_error(script: Sequence[Step] | HTTPStatus, error: type[JelmoreError]) -> None:
    with playing(script) as server, pytest.raises(error):
        await frames(server)


async def test_nothing_listens() -> None:
    with playing() as server:
        pass
    with pytest.raises(NotListening, match="make up"):
        await frames(server)


async def test_time_is_over_while_nothing_comes(time_passes: Callable[[], None]) -> None:
    with playing([event(1), hold]) as server:
        async with following(server) as events:
            assert (await anext(events)).seq == 1
            asyncio.get_running_loop().call_soon(time_passes)
            with pytest.raises(TimedOut):
                await anext(events)


async def test_time_is_over_while_nothing_listens(time_passes: Callable[[], None]) -> None:
    with playing([event(1), cut]) as server:
        async with following(server, on_lost=time_passes) as events:
            assert (await anext(events)).seq == 1
            server.stop()
            with pytest.raises(TimedOut):
                await anext(events)


@pytest.fixture
async def time_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it makes all the time be over that `following` has; until then, a slow machine may take any time."""
    loop = asyncio.get_running_loop()
    real = loop.time
    return lambda: monkeypatch.setattr(loop, "time", lambda: real() + FOLLOWING_S)


@asynccontextmanager
async def following(server: Server, on_lost: Callable[[], None] = lambda: None) -> AsyncIterator[AsyncGenerator[Event]]:
    view = SessionView.model_validate({**VIEW, "id": ID})
    async with (
        closing_transport(Target(server.url)) as transport,
        aclosing(AsyncSession(transport, view).stream(timeout=FOLLOWING_S, on_lost=on_lost)) as events,
    ):
        yield events


async def test_the_token_comes_along() -> None:
    seen: list[str | None] = []

    def look(connection: ServerConnection) -> None:
        seen.append(connection.request.headers.get("Authorization") if connection.request else None)
        connection.close(1000)

    with playing([look]) as server:
        async with closing_transport(Target(server.url, "a-token")) as transport:
            assert [came async for came in Stream(transport, ID).frames()] == []
    assert seen == ["Bearer a-token"]
