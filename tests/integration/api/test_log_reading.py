"""The log by the page, large payloads, and the WebSocket's commands."""

import json
from typing import Any

import pytest
from nats.aio.client import Client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from jelmore_api.settings import Settings
from jelmore_contract.commands import input_id
from jelmore_contract.events import EventType
from tests.support.api import RunningApi, agent_of, footprint, mirrored, serving, until

LINES = [rb'{"text":"\u0000 \ud83d"}', b'{"spaced" : "\xc3\xa9"}', b"no JSON", b"\xff"]


async def page(api: RunningApi, session_id: str, **query: Any) -> Any:
    answer = await api.http.get(f"/api/v1/session/{session_id}/events", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_pages_join_without_gap_or_double_wherever_the_mirror_is(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.lines(*LINES))
    for _ in range(3):
        await agent.lines(*LINES)  # some of them not in the mirror yet
        after, seen = 0, []
        while items := (found := await page(api, session_id, after=after, limit=3))["items"]:
            seen += items
            assert found["next_after"] == items[-1]["seq"]
            after = found["next_after"]
        seqs = [event["seq"] for event in seen]
        assert seqs == sorted(set(seqs))
        assert seqs[-1] == (await api.services.bus.last_sequence())
        assert len(seqs) == agent.offset // 100


async def test_payloads_are_as_they_came(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    last = await agent_of(bus, session_id).lines(*LINES)
    for _ in range(2):
        text = (await api.http.get(f"/api/v1/session/{session_id}/events")).content
        assert LINES[0] in text
        assert LINES[1] in text
        encodings = [event.get("encoding") for event in json.loads(text)["items"]]
        assert encodings == [None, None, "base64", "base64"]
        await mirrored(api, last)


async def test_some_types_alone(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.lines(*LINES))
    await agent.event(EventType.ERROR, reason="turn_failed", message="x")
    found = await page(api, session_id, types=["session.created", "session.error"])
    assert [event["event_type"] for event in found["items"]] == ["session.created", "session.error"]


async def test_a_large_payload_whole(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    content = b'{"x":"' + b"y" * 1_500_000 + b'"}'
    last = await agent_of(bus, session_id).blob("large", content)
    for _ in range(2):
        answer = await api.http.get(f"/api/v1/session/{session_id}/blobs/large")
        assert answer.content == content
        assert answer.headers["content-type"] == "application/octet-stream"
        await mirrored(api, last)
    assert (await api.http.get(f"/api/v1/session/{session_id}/blobs/other")).status_code == 404


async def test_commands_over_the_websocket(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.event(EventType.APPROVAL_REQUESTED, approval_id="a1", kind="approval", tool_name="Bash", input={})
    async with connect(f"{api.ws_url}/api/v1/session/{session_id}/stream", proxy=None) as stream:

        async def ask(frame: str) -> dict[str, Any]:
            await stream.send(frame)
            while (reply := json.loads(await stream.recv()))["event_type"] != "stream.reply":
                pass
            return dict(reply)

        sent = await ask('{"type": "input", "id": 1, "text": "hi", "idempotency_key": "k"}')
        assert sent["ok"] is True
        assert sent["id"] == 1
        assert (sent["input_id"], sent["state"]) == (input_id(session_id, "k"), "queued")
        assert (await ask('{"type": "interrupt"}'))["ok"] is True
        assert (await ask('{"type": "answer", "approval_id": "a1", "decision": "allow"}'))["ok"] is True
        before = await footprint(bus)
        for frame, status in (
            ("no JSON", 400),
            ("[]", 400),
            ('{"type": "shutdown"}', 422),
            ('{"type": "input"}', 422),
            ('{"type": "input", "text": ""}', 422),
            ('{"type": "interrupt", "now": true}', 422),
            ('{"type": "answer", "approval_id": "a2", "decision": "allow"}', 404),
            ('{"type": "answer", "approval_id": "a1", "decision": "deny"}', 409),
        ):
            reply = await ask(frame)
            assert reply["ok"] is False
            assert reply["problem"]["status"] == status, frame
        assert await footprint(bus) == before


async def test_clients_are_told_to_come_back_when_the_service_stops(api_settings: Settings) -> None:
    async with serving(api_settings) as api:
        session_id = await until_created(api)
        stream = await connect(f"{api.ws_url}/api/v1/session/{session_id}/stream", proxy=None)
        assert json.loads(await stream.recv())["event_type"] == "stream.ready"
    with pytest.raises(ConnectionClosed) as caught:
        await stream.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1013


async def until_created(api: RunningApi) -> str:
    async def created() -> str | None:
        answer = await api.http.post("/api/v1/session", json={})
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    return str(await until(created))
