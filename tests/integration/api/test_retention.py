"""What is past its time leaves the log, and nothing that anybody still needs goes with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import nats.js.errors
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from jelmore_api.persister.stream import COMPLETE_FROM
from jelmore_api.resources.local import LocalStore
from jelmore_api.retention.retention import Limits, Retention
from jelmore_api.retention.rows import RetentionRepository
from jelmore_api.retention.stream import LogStream
from jelmore_contract.bus import consumer_name
from jelmore_contract.report import ORIGIN, Report
from jelmore_contract.states import Phase, SessionState
from jelmore_contract.subjects import STREAM
from tests.support.api import RunningApi, agent_of, mirrored, resource
from tests.support.log_publisher import LogPublisher

DAY = timedelta(days=1)


def report(command_seq: int) -> Report:
    return Report(ORIGIN, 1, Phase.READY, SessionState.IDLE, command_seq=command_seq)


def retention(api: RunningApi, log: timedelta | None = None, stream: timedelta | None = None) -> Retention:
    services = api.services
    rows = RetentionRepository(services.postgres)
    return Retention(Limits(log, stream), rows, LogStream(services.bus.connection), LocalStore(services.bus))


async def counts(bus: Client, agent: LogPublisher) -> dict[str, int]:
    """Messages of the session in the stream, by the end of their subject."""
    info = await bus.jetstream().stream_info(STREAM, subjects_filter="jelmore.>")
    mark = f"{agent.key.session_id}."
    found = {f"{name}.".partition(mark)[2].strip("."): n for name, n in (info.state.subjects or {}).items()}
    return {name: count for name, count in found.items() if name or mark in name}


async def events(api: RunningApi, session_id: str) -> list[dict[str, Any]]:
    page = (await api.http.get(f"/api/v1/session/{session_id}/events", params={"limit": 1000})).json()
    items: list[dict[str, Any]] = page["items"]
    return items


async def busy_session(api: RunningApi, bus: Client) -> LogPublisher:
    """With some of everything; its first command was dealt with, its second was not."""
    agent = agent_of(bus, await api.create(name="busy"))
    await agent.created()
    _, dealt = await agent.input("one")
    await agent.event("session.state_changed", **{"from": "idle", "to": "active"})
    await agent.event("session.file_modified", path="a", change="created", size=1, turn=1)
    await agent.blob("1-0-9-0", b"x" * 600_000)
    await agent.lines(b'{"type":"user"}', b'{"type":"assistant"}')
    await agent.line(b'{"type":"result"}')
    await agent.event("session.state_changed", **{"from": "active", "to": "idle"})
    await agent.report(report(dealt))
    _, last = await agent.input("two")
    await mirrored(api, last)
    return agent


async def test_what_is_looked_for_stays_in_the_stream_and_all_can_be_read(api: RunningApi, bus: Client) -> None:
    agent = await busy_session(api, bus)
    before = await events(api, agent.key.session_id)
    now = datetime.now(UTC)
    assert (await counts(bus, agent))["session.output"] == 4

    await retention(api, stream=DAY).enforce(now)  # nothing is that old
    assert (await counts(bus, agent))["session.output"] == 4

    await retention(api, stream=DAY).enforce(now + 2 * DAY)
    assert await counts(bus, agent) == {
        "session.created": 1,
        "session.state_changed": 2,
        "session.output": 1,
        "input": 1,
    }
    last = await bus.jetstream().get_last_msg(STREAM, f"jelmore.event.default.{agent.key.session_id}.session.output")
    assert b'"result"' in (last.data or b"")
    # The rest of the log is where readers look first, large payloads too.
    assert await events(api, agent.key.session_id) == before
    assert (await api.http.get(f"/api/v1/session/{agent.key.session_id}/blobs/1-0-9-0")).content == b"x" * 600_000
    info = await bus.jetstream().stream_info(STREAM)
    assert int((info.config.metadata or {})[COMPLETE_FROM]) > before[-1]["seq"]


async def test_nothing_goes_that_postgresql_has_not_got(api: RunningApi, bus: Client) -> None:
    agent = await busy_session(api, bus)
    before = await counts(bus, agent)
    await api.services.postgres.rows("UPDATE log_position SET seq = 0")
    await retention(api, stream=DAY).enforce(datetime.now(UTC) + 2 * DAY)
    assert await counts(bus, agent) == before


async def test_the_log_of_a_session_goes_its_time_after_the_end(api: RunningApi, bus: Client) -> None:
    agent, other = await busy_session(api, bus), agent_of(bus, await api.create(name="other"))
    await other.created()
    await mirrored(api, await agent.event("session.terminated", reason="deleted"))
    session_id = agent.key.session_id
    now = datetime.now(UTC)

    await retention(api, log=DAY).enforce(now + 2 * DAY)
    assert (await api.http.get(f"/api/v1/session/{session_id}")).status_code == 200, "its resource is still there"

    left_behind = ConsumerConfig(durable_name=consumer_name(agent.key), ack_policy=AckPolicy.EXPLICIT)
    await bus.jetstream().add_consumer(STREAM, left_behind)
    bucket = await bus.jetstream().key_value("jelmore_sessions")
    await bucket.delete(f"default.{session_id}.spec")
    await retention(api, log=DAY).enforce(now)
    assert await events(api, session_id), "its time is not over"

    await retention(api, log=DAY).enforce(now + 2 * DAY)
    assert (await api.http.get(f"/api/v1/session/{session_id}")).status_code == 404
    assert await counts(bus, agent) == {}
    assert await resource(bus, session_id) is None
    with pytest.raises(nats.js.errors.NotFoundError):
        await bus.jetstream().consumer_info(STREAM, consumer_name(agent.key))
    for table in ("events", "commands", "blobs", "inputs", "sessions"):
        left = await api.services.postgres.rows(f"SELECT 1 FROM {table} WHERE session_id = $1", session_id)
        assert left == [], table
    with pytest.raises(nats.js.errors.NotFoundError):
        await bus.jetstream().get_last_msg(STREAM, f"jelmore.agent.default.{session_id}")
    assert [item["id"] for item in (await api.http.get("/api/v1/sessions")).json()["items"]] == [other.key.session_id]
