"""A session's events as server-sent events: the same as by the page, then live."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from nats.aio.client import Client

from jelmore_api.stream import room as room_module
from jelmore_api.stream import sse as sse_module
from jelmore_contract.events import EventType, encode_event
from jelmore_contract.subjects import event_subject
from tests.support.api import LIMIT, RunningApi, agent_of, mirrored, until

ACCEPT = {"Accept": "text/event-stream"}


class Told(NamedTuple):
    """An event as it came; a comment has neither id nor kind."""

    id: str
    kind: str
    data: Any


class Listening:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._texts = response.aiter_text()
        self._rest = ""

    async def next(self) -> Told | None:
        """None once the stream has ended."""
        # Not httpx's own lines: it takes U+2028 for a line's end.
        async with asyncio.timeout(LIMIT):
            while "\n\n" not in self._rest:
                text = await anext(self._texts, None)
                if text is None:
                    return None
                self._rest += text
        block, _, self._rest = self._rest.partition("\n\n")
        return _told(block.split("\n"))

    async def until(self, kind: str) -> list[Told]:
        """All up to the first of that kind, comments aside."""
        found: list[Told] = []
        while not found or found[-1].kind != kind:
            told = await self.next()
            assert told is not None, found
            if told.kind:
                found.append(told)
        return found


def _told(lines: list[str]) -> Told:
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    data = json.loads("\n".join(fields["data"])) if "data" in fields else None
    return Told("".join(fields.get("id", [])), "".join(fields.get("event", [])), data)


@contextlib.asynccontextmanager
async def listening(
    api: RunningApi, session_id: str, last: int | None = None, **params: Any
) -> AsyncIterator[Listening]:
    headers = ACCEPT | ({} if last is None else {"Last-Event-ID": str(last)})
    url = f"/api/v1/session/{session_id}/events"
    async with api.http.stream("GET", url, params=params, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield Listening(response)


async def test_past_ready_present_and_end(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    stored = await agent.lines(b'{"n":1}', b'{"n":2}')
    async with listening(api, session_id) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        past = await stream.until("stream.ready")
        assert past[-1] == Told(str(stored), "stream.ready", {"event_type": "stream.ready", "seq": stored})
        page = (await api.http.get(f"/api/v1/session/{session_id}/events")).json()
        assert [told.data for told in past[:-1]] == page["items"]
        assert [(told.id, told.kind) for told in past[:-1]] == [
            (str(item["seq"]), item["event_type"]) for item in page["items"]
        ]
        live = await agent.line(b'{"n":3}')
        told = await stream.next()
        assert told is not None
        assert (told.id, told.data["payload"]) == (str(live), {"n": 3})
        last = await agent.event(EventType.TERMINATED, reason="deleted")
        assert (await stream.next() or told).kind == "session.terminated"
        assert await stream.next() == Told(str(last), "stream.end", {"event_type": "stream.end", "seq": last})
        assert await stream.next() is None
    # An EventSource comes back with the last id, and is told to stop.
    headers = ACCEPT | {"Last-Event-ID": str(last)}
    answer = await api.http.get(f"/api/v1/session/{session_id}/events", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    async with listening(api, session_id, after=last) as stream:
        assert [told.kind for told in await stream.until("stream.end")] == ["stream.ready", "stream.end"]


@pytest.mark.parametrize("in_rows", [False, True], ids=["in the stream", "in PostgreSQL"])
async def test_it_goes_on_after_the_last_id(api: RunningApi, bus: Client, in_rows: bool) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    first = await agent.created()
    second = await agent.line(b"{}")
    third = await agent.line(b"{}")
    if in_rows:
        await mirrored(api, third)
    for params, last, wanted in (({"after": first}, None, second), ({"after": 0}, second, third), ({}, first, second)):
        async with listening(api, session_id, last, **params) as stream:
            assert (await stream.until("session.output"))[0].id == str(wanted)


async def test_only_some_types(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    last = await agent.lines(b"{}", b"{}")
    types = [EventType.ERROR.value, EventType.CREATED.value]
    async with listening(api, session_id, types=types) as stream:
        past = await stream.until("stream.ready")
        assert [told.kind for told in past] == ["session.created", "stream.ready"]
        # What was left out needs not be read again.
        assert past[-1].id == str(last)
        await agent.line(b"{}")
        await agent.event(EventType.ERROR, reason="internal", message="x")
        assert [told.kind for told in await stream.until("session.error")] == ["session.error"]


async def test_json_of_several_lines_is_one_event(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    payload = '{"a":\r\n"x\u2028y",\r"b":\n[1]}'.encode()
    event = encode_event("an-id", "session.error", session_id, "2026-01-01T00:00:00.000Z", payload)
    await agent.raw(event_subject(agent.key, "session.error"), event)
    async with listening(api, session_id) as stream:
        told = await stream.next()
        assert told is not None
        assert told.data["payload"] == {"a": "x\u2028y", "b": [1]}


async def test_a_sign_of_life_while_nothing_happens(
    api: RunningApi, bus: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse_module, "HEARTBEAT", 0.05)
    session_id = await api.create()
    await agent_of(bus, session_id).created()
    async with listening(api, session_id) as stream:
        await stream.until("stream.ready")
        assert await stream.next() == Told("", "", None)


async def test_shutting_down_ends_it_without_an_end(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    last = await agent_of(bus, session_id).created()
    async with listening(api, session_id) as stream:
        await stream.until("stream.ready")
        assert len(api.services.streams) == 1
        await api.services.end_streams()
        assert await stream.next() is None
        assert not api.services.streams
    assert last


async def test_who_has_gone_is_served_no_longer(api: RunningApi, bus: Client) -> None:
    session_id = await api.create()
    await agent_of(bus, session_id).created()
    async with listening(api, session_id) as stream:
        await stream.until("stream.ready")
    await until(lambda: not api.services.streams)


async def test_who_does_not_read_is_sent_away_and_misses_nothing(
    api: RunningApi, bus: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "MOST_CHARACTERS", 1 << 20)
    monkeypatch.setattr(sse_module, "_CLOSE_LIMIT", 0.1)
    session_id = await api.create()
    agent = agent_of(bus, session_id)
    await agent.created()
    line = json.dumps({"text": "x" * 100_000}).encode()
    seen: list[int] = []
    async with listening(api, session_id) as stream:
        await stream.until("stream.ready")
        last = 0
        while api.services.streams:
            last = await agent.line(line)
        with contextlib.suppress(httpx.RemoteProtocolError):
            while (told := await stream.next()) is not None:
                seen.append(int(told.id))
    async with listening(api, session_id, seen[-1]) as stream:
        seen += [int(told.id) for told in await stream.until("stream.ready")][:-1]
    assert seen == [*range(2, last + 1)]


@pytest.mark.parametrize(
    ("headers", "params", "status"),
    [
        ({"Last-Event-ID": "x"}, {}, 422),
        ({"Last-Event-ID": "-1"}, {}, 422),
        ({"Last-Event-ID": "99"}, {}, 422),
        ({}, {"after": 99}, 422),
        ({}, {"types": "session.nothing"}, 422),
        ({"Accept": "application/json;q=0, text/event-stream;q=0"}, {}, 406),
    ],
)
async def test_what_is_refused_before_it_begins(
    api: RunningApi, headers: dict[str, str], params: dict[str, Any], status: int
) -> None:
    session_id = await api.create()
    url = f"/api/v1/session/{session_id}/events"
    answer = await api.http.get(url, headers=ACCEPT | headers, params=params)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_session_that_is_not_there(api: RunningApi) -> None:
    answer = await api.http.get(f"/api/v1/session/{uuid4()}/events", headers=ACCEPT)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_browser_that_looks_gets_a_page(api: RunningApi) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = await api.http.get(f"/api/v1/session/{await api.create()}/events", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
