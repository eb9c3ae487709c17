"""Requests that are sent again, and the errors that answers become, with an API that says what the test wants."""

import json
from collections.abc import Sequence

import httpx
import pytest

from jelmore import (
    AsyncJelmore,
    Conflict,
    Denied,
    InvalidRequest,
    JelmoreError,
    NotFound,
    NotListening,
    SessionEnded,
    Unavailable,
    retries,
)
from jelmore.retries import pause

ID = "550e8400-e29b-41d4-a716-446655440000"
VIEW = {
    "id": ID,
    "name": "demo",
    "namespace": "default",
    "status": "idle",
    "output_buffer_size": 0,
    "current_directory": None,
    "created_at": None,
    "last_activity": None,
}
SESSION = httpx.Response(201, json=VIEW)
RECEIPT = httpx.Response(202, json={"input_id": "i-1", "state": "queued"})
REFUSED = httpx.ConnectError("refused")
CUT = httpx.RemoteProtocolError("gone")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_SHORTEST_S", 0.0)


def problem(status: int, kind: str = "x", **headers: str) -> httpx.Response:
    document = {"type": f"https://jelmore.dev/problems/{kind}", "status": status, "detail": f"Why {status}."}
    return httpx.Response(status, json=document, headers=headers)


class Api:
    """Gives one answer after the other."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> AsyncJelmore:
        return AsyncJelmore("http://jelmore.test/under", retries=3, transport=httpx.MockTransport(self))


@pytest.mark.parametrize(
    "failures",
    [
        [problem(503, **{"Retry-After": "0"})],
        [problem(429), problem(502), problem(504)],
        [CUT, httpx.ReadTimeout("slow"), httpx.WriteError("gone")],
        [CUT, problem(503), CUT],
    ],
)
async def test_a_create_that_is_sent_again_has_the_same_key(failures: Sequence[httpx.Response | Exception]) -> None:
    api = Api(*failures, SESSION)
    async with api.client() as jelmore:
        session = await jelmore.create("Hello", model="opus")
    assert session.id == ID
    [key] = {request.headers["Idempotency-Key"] for request in api.requests}
    assert len(key) == 36
    assert len(api.requests) == len(failures) + 1
    assert api.requests[0].url.path == "/under/api/v1/session"
    assert json.loads(api.requests[-1].content) == {"query": "Hello", "model": "opus"}


async def test_an_input_that_is_sent_again_has_the_same_key_and_another_one_another() -> None:
    api = Api(SESSION, CUT, RECEIPT, RECEIPT, RECEIPT)
    async with api.client() as jelmore:
        session = await jelmore.create()
        assert (await session.send("x")).input_id == "i-1"
        await session.send([{"type": "text", "text": "x"}])
        await session.send("x", key="mine")
    lost, again, other, mine = [json.loads(request.content)["idempotency_key"] for request in api.requests[1:]]
    assert lost == again != other
    assert mine == "mine"


async def test_it_gives_up_after_so_many_tries() -> None:
    api = Api(*[problem(503)] * 4)
    async with api.client() as jelmore:
        with pytest.raises(Unavailable, match=r"Why 503\."):
            await jelmore.get(ID)
    assert len(api.requests) == 4


async def test_nobody_is_waited_for_where_nobody_ever_listened() -> None:
    api = Api(REFUSED)
    async with api.client() as jelmore:
        with pytest.raises(NotListening, match="make up"):
            await jelmore.get(ID)
    again = Api(SESSION, REFUSED, REFUSED, SESSION)
    async with again.client() as jelmore:
        await jelmore.get(ID)
        assert (await jelmore.get(ID)).id == ID


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(400), InvalidRequest),
        (problem(401), Denied),
        (problem(403), Denied),
        (problem(404), NotFound),
        (problem(409), Conflict),
        (problem(409, "session-ended"), SessionEnded),
        (problem(413), InvalidRequest),
        (problem(422), InvalidRequest),
        (problem(500), JelmoreError),
    ],
)
async def test_a_problem_document_is_an_exception_and_is_not_asked_for_again(
    answer: httpx.Response, kind: type[JelmoreError]
) -> None:
    api = Api(answer)
    async with api.client() as jelmore:
        with pytest.raises(JelmoreError, match=rf"^Why {answer.status_code}\.$") as raised:
            await jelmore.get(ID)
    assert type(raised.value) is kind
    assert raised.value.status == answer.status_code
    assert raised.value.document is not None
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("failures", "retry_after", "seconds"),
    [
        (0, None, 0.2),
        (2, None, 0.8),
        (9, None, 5.0),
        (99, None, 5.0),
        (0, "2", 2.0),
        (9, "2", 5.0),
        (0, "3600", 60.0),
        (0, "Wed, 06 Aug 2025 12:00:00 GMT", 0.2),
        (0, "-1", 0.2),
    ],
)
def test_pauses_grow_and_are_as_long_as_the_server_asks(
    failures: int, retry_after: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_SHORTEST_S", 0.2)
    assert pause(failures, retry_after) == pytest.approx(seconds)
