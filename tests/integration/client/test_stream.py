"""Following through lost connections, with a server that loses them as the test wants."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from jelmore import stream
from jelmore.config import Target
from jelmore.problems import Denied, JelmoreError, NotFound, NotListening, TimedOut
from jelmore.stream import Event, Ready, Stream

ID = "550e8400-e29b-41d4-a716-446655440000"


def event(seq: int) -> str:
    return f'{{"seq":{seq},"id":"e","event_type":"session.output","session_id":"{ID}","payload":{{"a": "\\ud800é"}}}}'


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
        server.url = f"http://127.0.0.1:{listening.socket.getsockname()[1]}"
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_SHORTEST_PAUSE_S", 0.01)


def seqs(server: Server, after: int = 0, lost: Callable[[], None] = lambda: None) -> list[int]:
    return [came.seq for came in Stream(Target(server.url), ID, after, lost=lost) if isinstance(came, Event)]


def test_it_ends_with_the_session() -> None:
    with playing([event(5), ready(5), event(7), close(1000)]) as server:
        came = list(Stream(Target(server.url), ID))
    assert [type(one) for one in came] == [Event, Ready, Event]
    assert isinstance(came[0], Event)
    assert came[0].raw_payload == '{"a": "\\ud800é"}'
    assert server.afters == [0]


def test_it_comes_back_after_the_last_event_however_the_connection_is_lost() -> None:
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
        assert seqs(server, 3, lambda: losses.append(None)) == [5, 6, 9]
    assert server.afters == [3, 3, 5, 6, 6, 6, 6]
    assert len(losses) == 3  # once for each time, however often it is tried


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (HTTPStatus.NOT_FOUND, NotFound),
        (HTTPStatus.FORBIDDEN, Denied),
        (HTTPStatus.SERVICE_UNAVAILABLE, JelmoreError),
        ([close(1008)], Denied),
        (["no json"], JelmoreError),
        (["[]"], JelmoreError),
    ],
)
def test_at_first_an_error_is_an_error(script: Sequence[Step] | HTTPStatus, error: type[JelmoreError]) -> None:
    with playing(script) as server, pytest.raises(error):
        seqs(server)


def test_nothing_listens() -> None:
    with playing() as server:
        pass
    with pytest.raises(NotListening, match="make up"):
        seqs(server)


def test_time_is_over_while_nothing_comes_and_while_nothing_listens() -> None:
    with playing([event(1), hold]) as server:
        follow = iter(Stream(Target(server.url), ID, deadline=time.monotonic() + 0.3))
        assert isinstance(next(follow), Event)
        with pytest.raises(TimedOut):
            next(follow)
    with playing([event(1), cut]) as server:
        follow = iter(Stream(Target(server.url), ID, deadline=time.monotonic() + 0.3))
        assert isinstance(next(follow), Event)
    with pytest.raises(TimedOut):
        next(follow)


def test_the_token_comes_along() -> None:
    seen: list[str | None] = []

    def look(connection: ServerConnection) -> None:
        seen.append(connection.request.headers.get("Authorization") if connection.request else None)
        connection.close(1000)

    with playing([look]) as server:
        assert list(Stream(Target(server.url, "a-token"), ID)) == []
    assert seen == ["Bearer a-token"]
