"""Approvals: what is open, and what becomes of answers."""

import asyncio
import json

from nats.aio.client import Client

from jelmore_contract.events import EventType
from jelmore_contract.subjects import STREAM
from tests.support.api import RunningApi, agent_of, footprint, mirrored
from tests.support.log_publisher import LogPublisher

ASKED = {"kind": "approval", "tool_name": "Bash", "input": {"command": "ls"}, "tool_use_id": "t1"}


async def asked(api: RunningApi, bus: Client, *approval_ids: str) -> tuple[str, LogPublisher, int]:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    last = await agent.created()
    for approval_id in approval_ids:
        last = await agent.event(EventType.APPROVAL_REQUESTED, approval_id=approval_id, **ASKED)
    return f"/api/v1/session/{session_id}/approvals", agent, last


async def commands(bus: Client) -> int:
    info = await bus.jetstream().stream_info(STREAM, subjects_filter="jelmore.command.*.*.answer")
    return sum((info.state.subjects or {}).values())


async def test_open_approvals_are_listed_at_once_and_until_they_are_resolved(api: RunningApi, bus: Client) -> None:
    url, agent, last = await asked(api, bus, "a1", "a2")

    async def listed() -> list[str]:
        return [item["approval_id"] for item in (await api.http.get(url)).json()["items"]]

    assert await listed() == ["a1", "a2"]
    await mirrored(api, last)
    assert await listed() == ["a1", "a2"]
    item = (await api.http.get(url)).json()["items"][0]
    assert item.pop("requested_at").endswith("Z")
    assert item == {"approval_id": "a1", **ASKED, "description": None, "suggestions": None}
    last = await agent.event(EventType.APPROVAL_RESOLVED, approval_id="a1", decision="allow", by="user")
    assert await listed() == ["a2"]
    await mirrored(api, last)
    assert await listed() == ["a2"]


async def test_an_answer_is_a_command(api: RunningApi, bus: Client) -> None:
    url, _, last = await asked(api, bus, "a1")
    body = {
        "decision": "deny",
        "message": "No.",
        "answers": {"Which?": "é"},
        "updated_input": {"command": "pwd"},
    }
    assert (await api.http.post(f"{url}/a1", json=body)).status_code == 202
    message = await bus.jetstream().get_msg(STREAM, last + 1)
    assert json.loads(message.data or b"")["payload"] == {"approval_id": "a1", **body}


async def test_the_first_answer_counts(api: RunningApi, bus: Client) -> None:
    url, agent, last = await asked(api, bus, "a1", "a2")
    allow, deny = {"decision": "allow"}, {"decision": "deny"}
    answers = await asyncio.gather(*(api.http.post(f"{url}/a1", json=body) for body in (allow, deny) * 3))
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [202] * 3 + [409] * 3
    assert codes[::2] in ([202] * 3, [409] * 3)
    assert await commands(bus) == 1
    await mirrored(api, last)
    assert (await api.http.post(f"{url}/a1", json=(deny if codes[0] == 202 else allow))).status_code == 409
    last = await agent.event(EventType.APPROVAL_RESOLVED, approval_id="a1", decision="allow", by="user")
    assert (await api.http.post(f"{url}/a1", json=allow)).status_code == 409
    await mirrored(api, last)
    assert (await api.http.post(f"{url}/a1", json=allow)).status_code == 409
    assert await commands(bus) == 1


async def test_the_same_question_asked_again_wants_an_answer_again(api: RunningApi, bus: Client) -> None:
    url, agent, _ = await asked(api, bus, "a1")
    assert (await api.http.post(f"{url}/a1", json={"decision": "allow"})).status_code == 202
    await agent.event(EventType.APPROVAL_RESOLVED, approval_id="a1", decision="cancelled", by="claude")
    last = await agent.event(EventType.APPROVAL_REQUESTED, approval_id="a1", **ASKED)
    assert (await api.http.post(f"{url}/a1", json={"decision": "allow"})).status_code == 202
    await mirrored(api, last)
    assert await commands(bus) == 2


async def test_bad_answers_change_nothing(api: RunningApi, bus: Client) -> None:
    url, _, __ = await asked(api, bus, "a1")
    before = await footprint(bus)
    for body in ({}, {"decision": "cancelled"}, {"decision": "allow", "more": 1}, {"decision": "allow", "answers": 1}):
        assert (await api.http.post(f"{url}/a1", json=body)).status_code == 422
    for approval_id in ("a2", "%00", "é", "x" * 200):
        assert (await api.http.post(f"{url}/{approval_id}", json={"decision": "allow"})).status_code == 404
    assert await footprint(bus) == before


async def test_one_request_that_makes_no_sense_hides_no_other(api: RunningApi, bus: Client) -> None:
    url, agent, _ = await asked(api, bus, "a1")
    await agent.event(EventType.APPROVAL_REQUESTED, approval_id="a2", kind=5)
    last = await agent.event(EventType.APPROVAL_REQUESTED, tool_name="nameless")
    for _ in range(2):
        assert [item["approval_id"] for item in (await api.http.get(url)).json()["items"]] == ["a1"]
        await mirrored(api, last)
