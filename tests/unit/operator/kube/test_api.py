"""Calls to an API server, one of the test's own: what is sent, and what becomes of a refusal."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes_asyncio.client import ApiClient, Configuration

from jelmore_operator.kube.api import LEASES, PODS, SECRETS, SESSIONS, Api, ApiError

POD = {"metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7"}}
STATUS = {"kind": "Status", "reason": "Invalid", "message": "data.nonce: Invalid value: a-secret"}


@dataclass
class Server:
    """Answers everything alike."""

    port: int = 0
    status: int = 200
    answer: Any = field(default_factory=lambda: POD)
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        content = request.headers.get("Content-Type", "")
        self.asked.append((request.method, str(request.rel_url), content, json.loads(text) if text else None))
        return web.json_response(self.answer, status=self.status, headers=self.headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as client:
        yield Api(client)


async def test_writes_go_where_and_as_they_should(server: Server, api: Api) -> None:
    assert await api.create(PODS, POD) == POD
    await api.apply(PODS, POD)
    await api.patch(SESSIONS, POD, "/status")
    await api.replace(PODS, POD)
    await api.delete(PODS, POD, 1)
    path = "/api/v1/namespaces/n/pods"
    session = "/apis/jelmore.dev/v1alpha1/namespaces/n/claudesessions/p/status"
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u"}, "gracePeriodSeconds": 1}
    assert server.asked == [
        ("POST", f"{path}?fieldManager=jelmore-operator", "application/json", POD),
        ("PATCH", f"{path}/p?fieldManager=jelmore-operator&force=true", "application/apply-patch+yaml", POD),
        ("PATCH", f"{session}?fieldManager=jelmore-operator", "application/merge-patch+json", POD),
        ("PUT", f"{path}/p", "application/json", POD),
        ("DELETE", f"{path}/p", "application/json", options),
    ]


async def test_lists_come_from_the_cache_unless_they_must_be_of_now(server: Server, api: Api) -> None:
    server.answer = {"metadata": {"resourceVersion": "12"}, "items": [POD]}
    assert await api.list_all(PODS, None, "label") == (12, [POD])
    await api.list_all(SESSIONS, "n", newest=True)
    assert [asked[1] for asked in server.asked] == [
        "/api/v1/pods?labelSelector=label&resourceVersion=0",
        "/apis/jelmore.dev/v1alpha1/namespaces/n/claudesessions",
    ]


async def test_what_is_not_there_is_none(server: Server, api: Api) -> None:
    server.status, server.answer = 404, {"reason": "NotFound"}
    assert await api.get(PODS, "n", "p") is None
    assert await api.delete(PODS, POD) is None


async def test_another_object_of_the_name_is_left(server: Server, api: Api) -> None:
    server.status, server.answer = 409, {"reason": "Conflict", "message": "Precondition failed: UID in precondition"}
    assert await api.delete(PODS, POD) is None


@pytest.mark.parametrize(("status", "answer"), [(403, STATUS), (429, {}), (500, "no document")])
async def test_a_refusal_says_why(server: Server, api: Api, status: int, answer: Any) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(ApiError) as refused:
        await api.create(PODS, POD)
    assert refused.value.status == status
    assert isinstance(refused.value, OSError)


async def test_a_refusal_of_a_secret_quotes_nothing(server: Server, api: Api) -> None:
    server.status, server.answer = 422, STATUS
    with pytest.raises(ApiError) as refused:
        await api.apply(SECRETS, POD)
    assert "a-secret" not in f"{refused.value!r} {refused.value}"
    assert refused.value.reason == "Invalid"


async def test_a_server_that_is_away_is_an_error_like_any() -> None:
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as client:
        with pytest.raises(ApiError) as refused:
            await Api(client).get(PODS, "n", "p")
    assert refused.value.status == 0


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [("7", 7.0), ("9999", 60.0), ("", 0.0), ("Sat, 28 Nov 2026 20:00:00 GMT", 0.0), ("-1", 0.0)],
)
async def test_a_server_that_asks_for_a_pause_gets_it_from_all_calls_but_the_lease_s(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch, retry_after: str, pause: float
) -> None:
    server.status, server.headers = 429, {"Retry-After": retry_after}
    began = time.monotonic()
    with pytest.raises(ApiError, match="429"):
        await api.get(PODS, "n", "p")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(max(seconds, 0.0))

    monkeypatch.setattr("jelmore_operator.kube.api.asyncio.sleep", sleep)
    server.status = 200
    await api.get(LEASES, "n", "l")
    assert waits == []
    await api.create(PODS, POD)
    assert len(waits) == 1
    assert max(0.0, pause - (time.monotonic() - began)) <= waits[0] <= pause


async def test_requests_are_counted_by_verb_and_code(server: Server) -> None:
    counted: list[tuple[str, int]] = []
    async with ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as client:
        api = Api(client, lambda verb, code, seconds: counted.append((verb, code)))
        await api.get(PODS, "n", "p")
        await api.apply(PODS, POD)
        await api.create(PODS, POD)
        server.answer = {"metadata": {"resourceVersion": "12"}, "items": []}
        await api.list_all(PODS, None)
        server.status = 503
        with pytest.raises(ApiError):
            await api.replace(PODS, POD)
    async with ApiClient(Configuration(host="http://127.0.0.1:9")) as client:
        with pytest.raises(ApiError):
            await Api(client, lambda verb, code, seconds: counted.append((verb, code))).get(PODS, "n", "p")
    assert counted == [("get", 200), ("patch", 200), ("create", 200), ("list", 200), ("update", 503), ("get", 0)]
