"""Whom the API in a cluster lets do what: tokens and roles of a real API server."""

import asyncio
from typing import Any

import pytest
import websockets
from nats.aio.client import Client
from websockets.exceptions import InvalidStatus

from jelmore_api.auth import kubernetes, recheck
from tests.support.api import RunningApi, agent_of, mirrored, until
from tests.support.cluster_api import ALL_VERBS, Cluster

#: Every call on a session, and the verb that it takes.
CALLS = [
    ("GET", "", None, "get"),
    ("GET", "/events", None, "get"),
    ("GET", "/approvals", None, "get"),
    ("GET", "/blobs/x", None, "get"),
    ("POST", "/input", {"text": "x"}, "update"),
    ("POST", "/interrupt", None, "update"),
    ("POST", "/approvals/x", {"decision": "allow"}, "update"),
    ("PATCH", "", {"model": "opus"}, "update"),
    ("DELETE", "", None, "delete"),
]


async def test_without_a_token_of_ours(cluster_api: RunningApi, cluster: Cluster) -> None:
    good = cluster_api.http.headers.pop("Authorization")
    account = cluster.names_of_accounts()[0]
    for_the_api_server = cluster.kubectl("create", "token", account, "-n", cluster.namespace).strip()
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
        cluster.headers("nonsense"),
        cluster.headers("x" * 20_000),
        cluster.headers(good.removeprefix("Bearer ") + "x"),
        cluster.headers(for_the_api_server),
        cluster.headers(cluster.token(account, cluster.namespace, audience="another")),
    ]
    for headers in wrong:
        for method, path in (("GET", "/api/v1/sessions"), ("POST", "/api/v1/session"), ("GET", "/nothing")):
            answer = await cluster_api.http.request(method, path, headers=headers)
            assert answer.status_code == 401, (headers.keys(), path)
            assert answer.json()["type"].endswith("/unauthorized")
            for said in (answer.json()["detail"], answer.headers["www-authenticate"]):
                assert "kubectl create token SERVICEACCOUNT --audience jelmore" in said
        if len(headers.get("Authorization", "")) < 8192:  # longer lines the WebSocket's own parser takes for an attack
            with pytest.raises(InvalidStatus) as refused:
                await websockets.connect(f"{cluster_api.ws_url}/api/v1/session/x/stream", additional_headers=headers)
            assert refused.value.response.status_code == 401
    for path in ("/healthz", "/readyz", "/api/v1/docs", "/api/v1/redoc", "/api/v1/openapi.json"):
        assert (await cluster_api.http.get(path)).status_code == 200, path
    schema = (await cluster_api.http.get("/api/v1/openapi.json")).json()
    assert schema["security"] == [{"token": []}]


async def test_each_call_takes_its_verb_and_no_other(cluster_api: RunningApi, cluster: Cluster) -> None:
    session_id = await cluster_api.create(name="one")
    reader = cluster.caller("get")
    for method, rest, body, verb in CALLS:
        answer = await cluster_api.http.request(
            method, f"/api/v1/session/{session_id}{rest}", json=body, headers=reader
        )
        if verb == "get":
            assert answer.status_code in (200, 404), (method, rest)
            assert "/blobs" in rest or answer.status_code == 200
        else:
            assert answer.status_code == 403, (method, rest)
            for word in (verb, "claudesessions.jelmore.dev", cluster.namespace):
                assert word in answer.json()["detail"]
    assert cluster.names() == ["one"]
    for wrong in ("get", "list", "create", "update"):
        answer = await cluster_api.http.delete(f"/api/v1/session/{session_id}", headers=cluster.caller("get", wrong))
        assert answer.status_code == 403
    deleter = cluster.caller("delete")  # who may not look
    assert (await cluster_api.http.delete(f"/api/v1/session/{session_id}", headers=deleter)).status_code == 204


async def test_what_one_may_not_look_at_is_not_there(cluster_api: RunningApi, cluster: Cluster) -> None:
    session_id = await cluster_api.create(name="one")
    unknown = "550e8400-e29b-41d4-a716-446655440000"
    stranger = cluster.caller()
    for method, rest, body, _ in CALLS:
        answers = [
            await cluster_api.http.request(method, f"/api/v1/session/{asked}{rest}", json=body, headers=stranger)
            for asked in (session_id, unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, rest)
        assert answers[0].text.replace(session_id, unknown) == answers[1].text
    for asked in (session_id, unknown):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(f"{cluster_api.ws_url}/api/v1/session/{asked}/stream", additional_headers=stranger)
        assert refused.value.response.status_code == 404


async def test_a_list_shows_what_the_caller_may_list(
    cluster_api: RunningApi, cluster: Cluster, another_namespace: str
) -> None:
    everybody = cluster.everywhere()
    await cluster_api.create(name="one")
    body = {"name": "two", "namespace": another_namespace}
    assert (await cluster_api.http.post("/api/v1/session", json=body, headers=everybody)).status_code == 201

    async def listed(headers: dict[str, str], **params: str) -> Any:
        answer = await cluster_api.http.get("/api/v1/sessions", params=params, headers=headers)
        return sorted(item["name"] for item in answer.json()["items"]) if answer.is_success else answer

    mine = {"one", "two"}
    assert mine <= set(await listed(everybody))
    assert await listed(cluster.caller("list")) == ["one"]
    other = cluster.caller("list", namespace=another_namespace)
    assert await listed(other) == ["two"]
    assert await listed(other, namespace=another_namespace) == ["two"]
    refused = await listed(other, namespace=cluster.namespace)
    assert refused.status_code == 403
    for word in ("list", "claudesessions.jelmore.dev", cluster.namespace):
        assert word in refused.json()["detail"]
    assert await listed(cluster.caller("get")) == []


CLONE = {"url": "https://git.example.com/a", "secret_name": "mine"}


@pytest.mark.parametrize("body", [{"credentials": {"secret_name": "mine"}}, {"workspace": {"git": CLONE}}], ids=str)
async def test_who_names_a_secret_must_be_able_to_read_it(
    cluster_api: RunningApi, cluster: Cluster, body: dict[str, Any]
) -> None:
    for headers in (cluster.caller("create"), cluster.caller("create", secret="another")):
        answer = await cluster_api.http.post("/api/v1/session", json=body, headers=headers)
        assert answer.status_code == 403
        for word in ("get", "secrets mine", cluster.namespace):
            assert word in answer.json()["detail"]
    assert cluster.names() == []
    good = cluster.caller("create", secret="mine")
    assert (await cluster_api.http.post("/api/v1/session", json=body, headers=good)).status_code == 201
    assert (await cluster_api.http.post("/api/v1/session", json={}, headers=cluster.caller("get"))).status_code == 403


async def test_who_may_not_read_a_secret_may_not_send_it_elsewhere(cluster_api: RunningApi, cluster: Cluster) -> None:
    maker = cluster.caller("create", secret="mine")
    made = await cluster_api.http.post("/api/v1/session", json={"workspace": {"git": CLONE}}, headers=maker)
    assert made.status_code == 201, made.text
    url, elsewhere = f"/api/v1/session/{made.json()['id']}", {"workspace": {"git": {"url": "https://evil.example/a"}}}
    refused = await cluster_api.http.patch(url, json=elsewhere, headers=cluster.caller(*ALL_VERBS))
    assert refused.status_code == 403
    assert "secrets mine" in refused.json()["detail"]
    allowed = await cluster_api.http.patch(url, json=elsewhere, headers=cluster.caller(*ALL_VERBS, secret="mine"))
    assert allowed.status_code == 200


async def test_a_stream_takes_commands_of_those_who_may_update(
    cluster_api: RunningApi, cluster: Cluster, bus: Client
) -> None:
    await asyncio.to_thread(cluster.apply, cluster.session("applied", query="hi"))
    session_id = cluster.read("applied")["metadata"]["uid"]
    agent = agent_of(bus, session_id, cluster.namespace)
    await agent.created()
    await agent.lines(b'{"n":1}')
    url = f"{cluster_api.ws_url}/api/v1/session/{session_id}/stream"
    answers = {}
    for verbs in (("get",), ("get", "update")):
        async with websockets.connect(url, additional_headers=cluster.caller(*verbs)) as socket:
            async with asyncio.timeout(10):
                while '"stream.ready"' not in (frame := str(await socket.recv())):
                    assert '"seq"' in frame
                await socket.send('{"type": "input", "text": "hi", "id": 1}')
                while '"stream.reply"' not in (frame := str(await socket.recv())):
                    pass
        answers[verbs] = frame
    assert '"ok":false' in answers["get",]
    assert "may not update claudesessions.jelmore.dev" in answers["get",]
    assert '"ok":true' in answers["get", "update"]


async def test_a_stream_ends_when_its_caller_may_not_read_any_more(
    cluster_api: RunningApi, cluster: Cluster, bus: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at more often than in life, and with a yes that holds no longer than that."""
    monkeypatch.setattr(recheck, "INTERVAL", 0.5)
    monkeypatch.setattr(kubernetes, "_YES", 0.4)
    session_id = await cluster_api.create(name="one")
    agent = agent_of(bus, session_id, cluster.namespace)
    await agent.created()
    known = set(cluster.names_of_accounts())
    loses = cluster.caller("get")
    (binding,) = set(cluster.names_of_accounts()) - known
    keeps = cluster.caller("get")
    url = f"{cluster_api.ws_url}/api/v1/session/{session_id}/stream"
    async with (
        websockets.connect(url, additional_headers=loses) as lost,
        websockets.connect(url, additional_headers=keeps) as kept,
    ):
        async with asyncio.timeout(60):
            for socket in (lost, kept):
                while '"stream.ready"' not in str(await socket.recv()):
                    pass
            await asyncio.to_thread(cluster.kubectl, "delete", "rolebinding", binding, "-n", cluster.namespace)
            await lost.wait_closed()
            await agent.lines(b'{"after":1}')
            while '{"after":1}' not in str(await kept.recv()):
                pass
    assert (lost.close_code, lost.close_reason) == (1008, "you may not read this session any more")
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(url, additional_headers=loses)
    assert refused.value.response.status_code == 404


async def test_a_resource_cannot_take_anothers_log(
    cluster_api: RunningApi, cluster: Cluster, bus: Client, another_namespace: str
) -> None:
    """Whoever may make sessions somewhere may write any sessionId there: the log of that id stays its own."""
    session_id = await cluster_api.create(name="one")
    agent = agent_of(bus, session_id, cluster.namespace)
    await agent.created()
    await mirrored(cluster_api, await agent.lines(b'{"secret":1}'))
    thief = cluster.caller(*ALL_VERBS, namespace=another_namespace)
    claim = cluster.session("claim", sessionId=session_id)
    claim["metadata"]["namespace"] = another_namespace
    await asyncio.to_thread(cluster.apply, claim, cluster.session("later"))
    url = f"/api/v1/session/{session_id}"

    async def claimed() -> bool:
        page = await cluster_api.http.get("/api/v1/sessions", params={"namespace": cluster.namespace})
        return any(item["name"] == "later" for item in page.json()["items"])  # one watch brings both, in order

    await until(claimed)
    for rest in ("", "/events"):
        assert (await cluster_api.http.get(url + rest, headers=thief)).status_code == 404
        assert (await cluster_api.http.get(url + rest)).status_code == 200
    assert (await cluster_api.http.delete(url)).status_code == 204
    await until(lambda: cluster.names() == ["later"])
    for rest in ("", "/events"):
        assert (await cluster_api.http.get(url + rest, headers=thief)).status_code == 404
