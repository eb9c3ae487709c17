"""The API in a cluster, in front of a real API server: what it makes there, what it sees, and whom it lets do what."""

import asyncio
from typing import Any

import httpx

from jelmore_api.resources.store import Change
from jelmore_api.settings import Settings
from tests.support.api import RunningApi, serving, until
from tests.support.cluster_api import ALL_VERBS, Cluster, serving_cluster
from tests.support.gate import Gate


async def test_a_session_by_rest_is_a_resource(cluster_api: RunningApi, cluster: Cluster) -> None:
    body = {"query": "hi", "name": "mine", "mcp_servers": {"a": {"command": "x", "env": {"K": None}}}}
    created = await cluster_api.http.post("/api/v1/session", json=body)
    assert created.status_code == 201, created.text
    session = created.json()
    stored = cluster.read("mine")
    assert stored["metadata"]["uid"] == session["id"]
    assert stored["metadata"]["namespace"] == session["namespace"] == cluster.namespace
    assert stored["spec"]["query"] == "hi"
    assert session["spec"]["mcp_servers"] == body["mcp_servers"]
    assert session["status"] == "pending"
    assert (await cluster_api.http.get(created.headers["location"])).json() == session
    page = (await cluster_api.http.get("/api/v1/sessions", params={"namespace": cluster.namespace})).json()
    assert page["items"] == [session]


async def test_what_kubectl_makes_appears_within_a_second(cluster_api: RunningApi, cluster: Cluster) -> None:
    async def listed() -> Any:
        page = await cluster_api.http.get("/api/v1/sessions", params={"namespace": cluster.namespace})
        return page.json()["items"]

    assert await listed() == []  # who asks, and what they may, is known from here on
    await asyncio.to_thread(cluster.apply, cluster.session("applied", query="hi"))
    applied = asyncio.get_running_loop().time()
    (session,) = await until(listed)
    assert asyncio.get_running_loop().time() - applied < 1
    assert session["name"] == "applied"
    assert session["id"] == cluster.read("applied")["metadata"]["uid"]
    url = f"/api/v1/session/{session['id']}"
    assert (await cluster_api.http.post(f"{url}/input", json={"text": "hi"})).status_code == 202
    await asyncio.to_thread(cluster.kubectl, "delete", "cls", "applied", "-n", cluster.namespace)

    async def gone() -> bool:
        return (await cluster_api.http.get(url)).status_code == 404

    await until(gone)


async def test_a_key_makes_one_session(cluster_api: RunningApi, cluster: Cluster) -> None:
    body, headers = {"query": "hi"}, {"Idempotency-Key": "k"}

    async def ask(**more: Any) -> httpx.Response:
        return await cluster_api.http.post("/api/v1/session", json=body | more, headers=headers)

    answers = await asyncio.gather(*(ask() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(cluster.names()) == 1
    for other in ({"query": "ho"}, {"name": "other"}):
        assert (await ask(**other)).status_code == 409
    annotation = cluster.read(cluster.names()[0])["metadata"]["annotations"]["jelmore.dev/idempotency-key"]
    assert annotation.partition(".")[0] != "k"
    assert len(cluster.names()) == 1


async def test_a_key_holds_after_a_restart_and_at_another_replica(cluster_settings: Settings, cluster: Cluster) -> None:
    body, headers = {"query": "hi", "name": "mine"}, {"Idempotency-Key": "k"}
    async with serving_cluster(cluster_settings, cluster) as one, serving_cluster(cluster_settings, cluster) as two:
        answers = await asyncio.gather(
            *(at.http.post("/api/v1/session", json=body, headers=headers) for at in (one, two))
        )
        assert [answer.status_code for answer in answers] == [201] * 2
        assert answers[0].json() == answers[1].json()
        made = (await one.http.post("/api/v1/session", json={})).json()["id"]
        assert (await two.http.get(f"/api/v1/session/{made}")).status_code == 200
    async with serving_cluster(cluster_settings, cluster) as again:
        answer = await again.http.post("/api/v1/session", json=body, headers=headers)
        assert answer.json() == answers[0].json()


async def test_one_name_for_one_session(cluster_api: RunningApi, cluster: Cluster) -> None:
    answers = await asyncio.gather(
        *(cluster_api.http.post("/api/v1/session", json={"name": "wanted"}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 3
    assert cluster.names() == ["wanted"]


async def test_deleting_is_kubernetes_own_deletion(cluster_api: RunningApi, cluster: Cluster) -> None:
    resource = cluster.session("kept")
    resource["metadata"]["finalizers"] = ["jelmore.dev/session"]
    await asyncio.to_thread(cluster.apply, resource)
    session_id = cluster.read("kept")["metadata"]["uid"]
    url = f"/api/v1/session/{session_id}"
    assert (await cluster_api.http.delete(url)).status_code == 204
    assert cluster.read("kept")["metadata"]["deletionTimestamp"]
    assert (await cluster_api.http.delete(url)).status_code == 204
    answer = await cluster_api.http.post(f"{url}/input", json={"text": "x"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "session-ended")
    patch = '{"metadata":{"finalizers":null}}'
    await asyncio.to_thread(
        cluster.kubectl, "patch", "cls", "kept", "-n", cluster.namespace, "--type=merge", "-p", patch
    )

    async def gone() -> bool:
        return (await cluster_api.http.get(url)).status_code == 404

    await until(gone)


async def test_a_change_is_a_patch_of_the_resource(cluster_api: RunningApi, cluster: Cluster) -> None:
    session_id = await cluster_api.create(name="mine", query="hi", model="opus")
    url = f"/api/v1/session/{session_id}"
    changes: list[dict[str, Any]] = [{"lifecycle": {"suspend": True}}, {"model": None}, {"partial_messages": True}]
    answers = await asyncio.gather(*(cluster_api.http.patch(url, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 3
    spec = cluster.read("mine")["spec"]
    assert (spec["lifecycle"]["suspend"], spec.get("model"), spec["partialMessages"]) == (True, None, True)
    assert (await cluster_api.http.get(url)).json()["spec"]["lifecycle"]["suspend"] is True
    for wrong, status, pointer in (
        ({"query": "ho"}, 422, "#/query"),
        ({"workspace": {"storage": {"size": "1Gi"}}}, 422, "#/workspace/storage"),
        ({"workspace": {"trust_settings": True}}, 422, "#/workspace/trust_settings"),
        ({"credentials": {"secret_name": "x"}}, 403, None),
    ):
        answer = await cluster_api.http.patch(url, json=wrong)
        assert answer.status_code == status, answer.text
        assert [error["pointer"] for error in answer.json().get("errors", ())] == ([pointer] if pointer else [])
    assert cluster.read("mine")["spec"] == spec


async def test_another_of_its_name_is_not_deleted(cluster_api: RunningApi, cluster: Cluster) -> None:
    store = cluster_api.services.commands._store
    session_id = await cluster_api.create(name="same")
    stored = await store.get(session_id)
    assert stored is not None
    await asyncio.to_thread(cluster.kubectl, "delete", "cls", "same", "-n", cluster.namespace)
    await asyncio.to_thread(cluster.apply, cluster.session("same"))
    await store.delete(stored)
    assert await store.patch(stored, Change({"model": "opus"}, {})) is None
    assert "model" not in cluster.read("same")["spec"]


async def test_only_the_namespaces_that_are_named(
    cluster_settings: Settings, cluster: Cluster, another_namespace: str
) -> None:
    other = cluster.session("other")
    other["metadata"]["namespace"] = another_namespace
    await asyncio.to_thread(cluster.apply, other)
    served = cluster_settings.model_copy(update={"namespaces": (cluster.namespace, "not-there-yet")})
    async with serving_cluster(served, cluster) as api:
        api.http.headers.update(cluster.everywhere())
        session_id = await api.create(name="mine")
        listed = (await api.http.get("/api/v1/sessions")).json()["items"]
        assert [item["id"] for item in listed] == [session_id]
        answer = await api.http.post("/api/v1/session", json={"namespace": another_namespace})
        assert answer.status_code == 422
        assert cluster.namespace in answer.json()["detail"]


REFUSED = [
    ({"namespace": "no-such-namespace"}, 403, None, "may not create"),
    ({"workspace": {"path": "/srv"}}, 422, "#/workspace/path", "one machine"),
    ({"workspace": {"trust_settings": True}}, 422, "#/workspace/trust_settings", "OAuth"),
    ({"resources": {"limits": {"memory": "1Mi"}}}, 422, "#/resources", "more than its limit"),
    ({"session_id": "00000000-0000-0000-0000-000000000000"}, 422, "#/session_id", "nil"),
]


async def test_what_the_api_server_refuses_is_said_of_the_field(cluster_api: RunningApi, cluster: Cluster) -> None:
    for body, status, pointer, words in REFUSED:
        answer = await cluster_api.http.post("/api/v1/session", json=body)
        problem = answer.json()
        assert answer.status_code == status, problem
        assert words in problem["detail"], problem
        assert [error["pointer"] for error in problem.get("errors", ())] == ([pointer] if pointer else [])
    assert cluster.names() == []


async def test_a_namespace_that_is_not_there(cluster_api: RunningApi, cluster: Cluster) -> None:
    answer = await cluster_api.http.post(
        "/api/v1/session", json={"namespace": "no-such-namespace"}, headers=cluster.everywhere()
    )
    assert answer.status_code == 422
    assert "create it, or name another" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "#/namespace"


async def test_the_api_server_away_and_back(cluster_api: RunningApi, cluster: Cluster, kube_gate: Gate) -> None:
    session_id = await cluster_api.create(name="before")
    url = f"/api/v1/session/{session_id}"
    assert (await cluster_api.http.get(url)).status_code == 200
    await kube_gate.shut()

    async def kubernetes() -> Any:
        return (await cluster_api.http.get("/readyz")).json()["dependencies"]["kubernetes"]

    async def away() -> bool:
        return (await kubernetes())["ok"] is False

    await until(away)
    assert "does not answer" in (await kubernetes())["message"]
    assert (await cluster_api.http.get("/healthz")).status_code == 200
    assert (await cluster_api.http.get(url)).status_code == 200  # who the caller is, and what they may, is remembered
    for answer in (
        await cluster_api.http.post("/api/v1/session", json={}),
        await cluster_api.http.get(url, headers=cluster.headers("another")),
    ):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) > 0
    await asyncio.to_thread(cluster.apply, cluster.session("meanwhile"))
    await asyncio.to_thread(cluster.kubectl, "delete", "cls", "before", "-n", cluster.namespace)
    await kube_gate.open()

    async def names() -> bool:
        page = await cluster_api.http.get("/api/v1/sessions", params={"namespace": cluster.namespace})
        return page.status_code == 200 and [item["name"] for item in page.json()["items"]] == ["meanwhile"]

    await until(names)
    assert (await kubernetes())["ok"] is True


async def test_the_api_server_is_away_at_the_start(
    cluster_settings: Settings, cluster: Cluster, kube_gate: Gate
) -> None:
    headers = cluster.caller(*ALL_VERBS)
    await kube_gate.shut()
    async with serving(cluster_settings) as api:
        assert (await api.http.get("/healthz")).status_code == 200
        assert (await api.http.get("/api/v1/docs")).status_code == 200
        assert (await api.http.get("/api/v1/sessions", headers=headers)).status_code == 503
        await kube_gate.open()

        async def served() -> bool:
            return (await api.http.get("/api/v1/sessions", headers=headers)).status_code == 200

        await until(served)
