"""The calls on sessions, with real servers: what they answer, and what they change."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from nats.aio.client import Client

from jelmore_contract.commands import input_id
from jelmore_contract.events import EventType
from jelmore_contract.subjects import BUCKET, STREAM
from tests.support.api import RunningApi, agent_of, footprint, mirrored, resource, until

SIX = ["id", "status", "current_directory", "created_at", "last_activity", "output_buffer_size"]


async def test_the_call_of_the_product_word_for_word(api: RunningApi, bus: Client) -> None:
    body = '{"query": "Help me create a Python FastAPI application"}'
    port = api.http.base_url.port
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-s", "-X", "POST", f"http://localhost:{port}/api/v1/session"),
        *("-H", "Content-Type: application/json", "-d", body),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await curl.communicate()
    session = json.loads(output)
    assert list(session)[:6] == SIX
    assert session["status"] == "pending"
    assert session["output_buffer_size"] == 0
    stored = await resource(bus, session["id"])
    assert stored is not None
    assert stored["metadata"]["uid"] == session["id"]
    assert stored["metadata"]["name"] == session["name"]
    assert stored["spec"]["query"] == json.loads(body)["query"]
    assert "status" not in stored


async def test_a_new_session_is_there_at_once(api: RunningApi) -> None:
    created = await api.http.post("/api/v1/session", json={"model": "opus", "name": "mine"})
    assert created.status_code == 201
    session = created.json()
    assert created.headers["location"] == f"/api/v1/session/{session['id']}"
    assert (await api.http.get(created.headers["location"])).json() == session
    assert (await api.http.get(f"/api/v1/session/{session['id'].upper()}")).json() == session
    page = (await api.http.get("/api/v1/sessions")).json()
    assert page == {"items": [session], "next_cursor": None}


async def test_the_log_tells_how_a_session_stands(api: RunningApi, bus: Client) -> None:
    session_id = await api.create(query="hi")
    agent = agent_of(bus, session_id)
    await agent.created()
    await agent.event(EventType.STATE_CHANGED, **{"from": "pending", "to": "active"})
    await agent.event(EventType.DIRECTORY_CHANGED, **{"from": None, "to": "/srv/here", "turn": 1})
    await agent.lines(b'{"n":1}', b'{"n":2}')
    last = await agent.event(
        EventType.STATE_CHANGED, **{"from": "active", "to": "waiting_input", "waiting_for": "question"}
    )
    await mirrored(api, last)

    async def counted() -> dict[str, Any] | None:
        session: dict[str, Any] = (await api.http.get(f"/api/v1/session/{session_id}")).json()
        return session if session["output_buffer_size"] == 2 else None  # Redis follows PostgreSQL

    session = await until(counted)
    assert session["status"] == "waiting_input"
    assert session["waiting_for"]["kind"] == "question"
    assert session["current_directory"] == "/srv/here"
    assert session["spec"]["query"] == "hi"
    page = await api.http.get("/api/v1/sessions", params={"status": "waiting_input"})
    assert [item["id"] for item in page.json()["items"]] == [session_id]
    assert (await api.http.get("/api/v1/sessions", params={"status": "active"})).json()["items"] == []


async def test_pages_hold_every_session_once_newest_first(api: RunningApi, bus: Client) -> None:
    ids = []
    for _ in range(5):
        ids.append(await api.create())
        await asyncio.sleep(0.002)  # creation times are in milliseconds
    for session_id in ids[1:4]:
        await mirrored(api, await agent_of(bus, session_id).created())
    seen, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await api.http.get("/api/v1/sessions", params=params)).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids)


async def test_namespaces_keep_names_apart(api: RunningApi, namespace: str) -> None:
    one = await api.create(name="same")
    other = await api.create(name="same", namespace=namespace)
    assert one != other
    page = await api.http.get("/api/v1/sessions", params={"namespace": namespace})
    assert [item["id"] for item in page.json()["items"]] == [other]


async def test_one_name_for_one_session_however_many_want_it(api: RunningApi) -> None:
    answers = await asyncio.gather(*(api.http.post("/api/v1/session", json={"name": "wanted"}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len((await api.http.get("/api/v1/sessions")).json()["items"]) == 1


async def test_the_name_of_a_session_that_is_gone_is_free(api: RunningApi, bus: Client) -> None:
    session_id = await api.create(name="again")
    bucket = await bus.jetstream().key_value(BUCKET)
    await bucket.delete(f"default.{session_id}.spec")  # as the supervisor does at its end
    assert await api.create(name="again") != session_id


async def test_an_idempotency_key_makes_one_session(api: RunningApi, bus: Client) -> None:
    body, headers = {"query": "hi"}, {"Idempotency-Key": "k"}

    async def ask() -> Any:
        return await api.http.post("/api/v1/session", json=body, headers=headers)

    answers = await asyncio.gather(*(ask() for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    before = await footprint(bus)
    other = await api.http.post("/api/v1/session", json={"query": "ho"}, headers=headers)
    assert other.status_code == 409
    assert await footprint(bus) == before


async def test_a_restored_session_keeps_its_id(api: RunningApi) -> None:
    wanted = str(uuid4())
    assert await api.create(session_id=wanted) == wanted
    assert (await api.http.post("/api/v1/session", json={"session_id": wanted})).status_code == 409


async def test_a_workspace_of_ones_own(api: RunningApi, bus: Client, tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "one"
    folder.mkdir()
    session_id = await api.create(workspace={"path": f"{folder}/"})
    stored = await resource(bus, session_id)
    assert stored is not None
    assert stored["spec"]["workspace"]["path"] == str(folder.resolve())


async def test_a_change_of_the_spec(api: RunningApi, bus: Client) -> None:
    session_id = await api.create(query="hi", model="opus", mcp_servers={"aB": {"c_d": 1}})
    await mirrored(api, await agent_of(bus, session_id).created())
    url = f"/api/v1/session/{session_id}"
    body = {"lifecycle": {"suspend": True}, "model": None, "mcp_servers": {"e_F": {"g": 2}}}
    answer = await api.http.patch(url, json=body)
    assert answer.status_code == 200, answer.text
    assert (await api.http.get(url)).json() == answer.json()
    spec = answer.json()["spec"]
    assert (spec["query"], spec["model"], spec["lifecycle"]["suspend"]) == ("hi", None, True)
    assert spec["mcp_servers"] == {"aB": {"c_d": 1}, "e_F": {"g": 2}}
    stored = await resource(bus, session_id)
    assert stored is not None
    assert stored["metadata"]["generation"] == 2
    before = await footprint(bus)
    assert (await api.http.patch(url, json=body)).status_code == 200
    for wrong, pointer in (
        ({"query": "ho"}, "#/query"),
        ({"session_id": str(uuid4())}, "#/session_id"),
        ({"workspace": {"path": "/tmp"}}, "#/workspace/path"),
        ({"workspace": {"storage": {"size": "1Gi"}}}, "#/workspace/storage"),
        ({"resources": {"limits": {"memory": "1Gi"}}}, "#/resources"),
        ({"name": "other"}, "#/name"),
        ({"lifecycle": 1}, "#/lifecycle"),
    ):
        answer = await api.http.patch(url, json=wrong)
        assert answer.status_code == 422, wrong
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await api.http.patch(url, json=[1])).status_code == 422
    assert await footprint(bus) == before


async def test_changes_at_the_same_moment_are_all_there(api: RunningApi) -> None:
    url = f"/api/v1/session/{await api.create()}"
    changes: list[dict[str, Any]] = [{"model": "opus"}, {"lifecycle": {"suspend": True}}, {"partial_messages": True}]
    answers = await asyncio.gather(*(api.http.patch(url, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 3
    spec = (await api.http.get(url)).json()["spec"]
    assert (spec["model"], spec["lifecycle"]["suspend"], spec["partial_messages"]) == ("opus", True, True)


async def test_deleting_marks_the_resource_once(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}"
    assert (await api.http.delete(url)).status_code == 204
    stored = await resource(bus, session_id)
    assert stored is not None
    assert stored["metadata"]["deletionTimestamp"] is not None
    assert stored["metadata"]["generation"] == 2
    before = await footprint(bus)
    assert (await api.http.delete(url)).status_code == 204
    assert (await api.http.patch(url, json={"model": "opus"})).status_code == 409
    for call in ("input", "interrupt", "approvals/x"):
        answer = await api.http.post(f"{url}/{call}", json={"input": {"text": "x"}}.get(call, {"decision": "allow"}))
        assert answer.status_code == 409, call
        assert answer.json()["type"].endswith("/session-ended")
    assert await footprint(bus) == before


async def test_a_session_that_has_ended_stays_readable(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.event(EventType.TERMINATED, reason="deleted"))
    bucket = await bus.jetstream().key_value(BUCKET)
    await bucket.delete(f"default.{session_id}.spec")
    url = f"/api/v1/session/{session_id}"
    assert (await api.http.get(url)).json()["status"] == "terminated"
    assert (await api.http.delete(url)).status_code == 204
    assert (await api.http.post(f"{url}/input", json={"text": "x"})).status_code == 409
    assert len((await api.http.get(f"{url}/events")).json()["items"]) == 2


async def test_an_input_is_one_command(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}/input"
    body = {"text": "hi", "idempotency_key": "k"}
    answers = await asyncio.gather(*(api.http.post(url, json=body) for _ in range(4)))
    name = input_id(session_id, "k")
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (202, {"input_id": name, "state": "queued"})
    ] * 4
    assert (await bus.jetstream().stream_info(STREAM)).state.messages == 1
    message = await bus.jetstream().get_msg(STREAM, 1)
    assert message.subject == f"jelmore.command.default.{session_id}.input"
    command = json.loads(message.data or b"")
    assert command["payload"] == {"input_id": name, "content": "hi"}


async def test_an_input_sent_again_tells_its_state(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}/input"
    body = {"content": [{"type": "text", "text": "hé 😀"}], "idempotency_key": "k"}
    name = (await api.http.post(url, json=body)).json()["input_id"]
    agent = agent_of(bus, session_id)
    last = 0
    for state in ("delivered", "started", "completed"):
        last = await agent.event(EventType.INPUT, input_id=name, state=state)
        again = await api.http.post(url, json=body)  # before the mirror has it
        assert again.json() == {"input_id": name, "state": state}
    await mirrored(api, last)
    assert (await api.http.post(url, json=body)).json() == {"input_id": name, "state": "completed"}
    other = await api.http.post(url, json={"text": "other", "idempotency_key": "k"})
    assert other.status_code == 409
    info = await bus.jetstream().stream_info(STREAM, subjects_filter="jelmore.command.>")
    assert sum((info.state.subjects or {}).values()) == 1


async def test_an_id_that_a_session_took_beforehand_hides_no_command(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    name = input_id(session_id, "k")
    subject = f"jelmore.event.default.{uuid4()}.session.output"
    await bus.jetstream().publish(subject, b"{}", headers={"Nats-Msg-Id": f"{session_id}/input/{name}"})
    answer = await api.http.post(f"/api/v1/session/{session_id}/input", json={"text": "hi", "idempotency_key": "k"})
    assert answer.status_code == 202
    info = await bus.jetstream().stream_info(STREAM, subjects_filter="jelmore.command.>")
    assert info.state.subjects == {f"jelmore.command.default.{session_id}.input": 1}


async def test_inputs_without_a_key_are_inputs_of_their_own(api: RunningApi) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}/input"
    answers = [(await api.http.post(url, json={"text": "same"})).json() for _ in range(2)]
    assert answers[0]["input_id"] != answers[1]["input_id"]


async def test_interrupt(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    assert (await api.http.post(f"/api/v1/session/{session_id}/interrupt")).status_code == 202
    message = await bus.jetstream().get_msg(STREAM, 1)
    assert message.subject == f"jelmore.command.default.{session_id}.interrupt"


NOBODY = [str(uuid4()), "nonsense", "%00", "*", "{550e8400-e29b-41d4-a716-446655440000}"]
CALLS = ["GET ", "PATCH ", "DELETE ", "GET /events", "GET /approvals", "GET /blobs/x", "POST /interrupt", "POST /retry"]


async def test_a_session_that_is_not_there(api: RunningApi, bus: Client) -> None:
    before = await footprint(bus)
    for session_id, call in itertools.product(NOBODY, CALLS):
        method, _, rest = call.partition(" ")
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        answer = await api.http.request(method, f"/api/v1/session/{session_id}{rest}", json=body)
        assert answer.status_code == 404, (session_id, call)
        assert answer.headers["content-type"] == "application/problem+json"
    assert await footprint(bus) == before


async def test_a_failed_session_is_retried_and_no_other(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}"
    refused = await api.http.post(f"{url}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "https://jelmore.dev/problems/conflict")
    stalled = {"type": "Stalled", "status": "True", "reason": "R", "lastTransitionTime": "2999-01-01T00:00:00Z"}
    status = {"state": "failed", "message": "Mend it.", "conditions": [stalled]}
    bucket = await bus.jetstream().key_value(BUCKET)
    await bucket.put(f"default.{session_id}.status", json.dumps(status).encode())
    answer = await api.http.post(f"{url}/retry")
    assert (answer.status_code, answer.json()["message"]) == (202, "Mend it.")
    stored = await resource(bus, session_id)
    assert stored is not None
    # Later than the failure, whatever the clocks say, and no change of the spec.
    assert stored["metadata"]["annotations"]["jelmore.dev/retry-at"] == "2999-01-01T00:00:00.001Z"
    assert stored["metadata"]["generation"] == 1
    await bucket.put(f"default.{session_id}.status", json.dumps({"state": "terminated"}).encode())
    ended = await api.http.post(f"{url}/retry")
    assert (ended.status_code, ended.json()["type"]) == (409, "https://jelmore.dev/problems/session-ended")
    assert (await api.http.post(f"{url}/input", json={"text": "x"})).status_code == 409


async def test_what_stands_in_the_way_is_shown_and_goes_with_the_budget(api: RunningApi, bus: Client) -> None:
    session_id = await api.create(budget={"usd": 1})
    url = f"/api/v1/session/{session_id}"
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.event(EventType.TURN_COMPLETED, turn=1, cost_usd=1.5))
    shown = (await api.http.get(url)).json()
    assert shown["blocked"] == {"reason": "budget", "until": None}
    assert "Raise budget.usd" in shown["message"]
    shown = (await api.http.patch(url, json={"budget": {"usd": 2}})).json()
    assert (shown["blocked"], shown["message"]) == (None, None)
    await mirrored(api, await agent.event(EventType.QUOTA, status="rejected", resets_at="2999-01-01T00:00:00Z"))
    shown = (await api.http.get(url)).json()
    assert shown["blocked"] == {"reason": "quota", "until": "2999-01-01T00:00:00.000Z"}
