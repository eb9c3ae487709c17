"""What one line leads to may be cut anywhere: the line itself goes ahead of the rest."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from jelmore_agent.fold import Event
from jelmore_agent.messages import Item
from jelmore_agent.publisher import Publisher
from jelmore_api.persister.stream import stream_config
from jelmore_contract.events import EventType, decode_event, encode_json
from jelmore_contract.report import Cursor, Report
from jelmore_contract.states import Phase, SessionState
from jelmore_contract.subjects import STREAM, SessionKey, session_events
from jelmore_local.servers.nats import Nats
from tests.support.servers import connect

_LIMIT_S = 30.0
_NOW = "2025-08-06T12:00:00.000Z"
_KEY = SessionKey("default", "550e8400-e29b-41d4-a716-446655440000")
_LINE, _STATE, _ERROR = (Cursor(1, 100, 0, 0, index) for index in range(3))


@pytest.fixture
async def log(fresh_nats: Nats) -> AsyncIterator[Client]:
    client = await connect(fresh_nats.url, fresh_nats.credentials)
    await client.jetstream().add_stream(stream_config(1))
    yield client
    await client.close()


def one_line() -> list[Item]:
    """A line's own event, and two that it leads to; the last with the report."""
    report = Report(_ERROR, 1, Phase.READY, SessionState.ACTIVE)
    return [
        Item(_LINE, _NOW, Event(_LINE, EventType.OUTPUT, encode_json({"type": "x"})), None),
        Item(_STATE, _NOW, Event(_STATE, EventType.STATE_CHANGED, encode_json({"to": "active"})), None),
        Item(_ERROR, _NOW, Event(_ERROR, EventType.ERROR, encode_json({"reason": "x"})), report),
    ]


class _Killed(Exception):
    pass


async def publish(client: Client, until: Cursor) -> list[Cursor]:
    """By an agent that is killed right after `until` was stored: all places that it was told of."""
    told: list[Cursor] = []

    def progress(cursor: Cursor) -> None:
        told.append(cursor)
        if cursor >= until:
            raise _Killed

    publisher = Publisher(_KEY, progress)
    for item in one_line():
        publisher.put(item)
    with pytest.raises(_Killed):
        async with asyncio.timeout(_LIMIT_S):
            await publisher.run(client)
    return told


async def stored(client: Client) -> list[str]:
    """The ids of all events, in order."""
    subscription = await client.jetstream().subscribe(session_events(_KEY), ordered_consumer=True)
    info = await client.jetstream().stream_info(STREAM, subjects_filter=session_events(_KEY))
    count = len(info.state.subjects or {})  # one of each type
    return [decode_event((await subscription.next_msg(_LIMIT_S)).data).id for _ in range(count)]


async def test_an_agent_killed_between_a_line_and_what_it_leads_to_is_followed_by_one_that_tells_the_rest_once(
    log: Client,
) -> None:
    assert _LINE in await publish(log, until=_LINE)
    assert len(await stored(log)) == 1
    assert _ERROR in await publish(log, until=_ERROR)
    places = {_LINE: EventType.OUTPUT, _STATE: EventType.STATE_CHANGED, _ERROR: EventType.ERROR}
    assert await stored(log) == [place.event_id(_KEY.session_id, kind) for place, kind in places.items()]


async def test_what_the_log_has_already_is_not_told_again_by_an_agent_that_reads_its_files_late(log: Client) -> None:
    await publish(log, until=_ERROR)
    known = asyncio.Event()
    publisher = Publisher(_KEY, lambda _: known.set())
    running = asyncio.create_task(publisher.run(log))
    async with asyncio.timeout(_LIMIT_S):
        await known.wait()
    for item in one_line():
        publisher.put(item)
    assert publisher.empty
    running.cancel()
    assert len(await stored(log)) == 3


def test_what_is_out_of_the_order_of_the_disk_is_a_defect() -> None:
    publisher = Publisher(_KEY, lambda _: None)
    first, second, _ = one_line()
    publisher.put(second)
    with pytest.raises(RuntimeError, match="order"):
        publisher.put(first)


async def test_a_line_is_in_the_log_before_the_batch_that_it_leads_to(log: Client) -> None:
    assert _LINE in await publish(log, until=_ERROR)
