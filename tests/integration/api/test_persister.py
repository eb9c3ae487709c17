"""The persister with real servers: everything once and in order, whatever is killed or cut, whatever noise there is."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from jelmore_api.persister.persister import Persister
from jelmore_api.persister.projections import fold
from jelmore_api.persister.rows import Changes
from jelmore_api.persister.store import PositionMoved, Store
from jelmore_api.stream.consumer import Entry
from jelmore_contract.events import EventType
from jelmore_contract.report import Cursor, Report, Usage
from jelmore_contract.states import Phase, SessionState
from jelmore_contract.subjects import event_subject, report_subject
from jelmore_local.servers.nats import Nats
from tests.support.log_publisher import Connect, LogPublisher, kill_nats

LIMIT = 30.0


@contextlib.asynccontextmanager
async def running(client: Client, database_url: str) -> AsyncIterator[Persister]:
    persister = Persister(client, database_url)
    task = asyncio.create_task(persister.run())
    try:
        yield persister
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def mirrored(database: "asyncpg.Connection[asyncpg.Record]", seq: int) -> None:
    async def reached() -> bool:
        return int(await database.fetchval("SELECT seq FROM log_position") or 0) >= seq

    await until(reached)


async def output_lines(database: "asyncpg.Connection[asyncpg.Record]", log: LogPublisher) -> list[int]:
    rows = await database.fetch(
        "SELECT payload FROM events WHERE session_id = $1 AND event_type = 'session.output' ORDER BY seq",
        log.key.session_id,
    )
    return [json.loads(row["payload"])["n"] for row in rows]


def numbered(n: int) -> bytes:
    return json.dumps({"n": n}).encode()


async def test_rows_hold_what_was_said(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    lines = [
        rb'{"text":"\u0000 and \ud83d alone"}',
        b'{"text":"\xff"}',  # no UTF-8
        b"no JSON at all",
        '{"spaced" : "é\\n"}'.encode(),
        b"{}" + b" " * 3,
    ]
    await log.created()
    await log.event(EventType.STATE_CHANGED, **{"from": "pending", "to": "waiting_input", "waiting_for": "question"})
    await log.lines(*lines)
    await log.blob("1-0-5-0", b'{"text":"' + b"x" * 1_300_000 + b'"}')
    input_id, _ = await log.input("go \0 on")
    await log.event(EventType.INPUT, input_id=input_id, state="delivered")
    report = Report(Cursor(1, 2, 0, 0, 0), 3, Phase.READY, SessionState.IDLE, usage=Usage(0.5, 10, 20, 2))
    await log.report(report)
    last = await log.event(EventType.DIRECTORY_CHANGED, **{"from": None, "to": "/\0x", "turn": 1})
    async with running(log.client, database_url) as persister:
        await mirrored(database, last)
        assert persister.health == {"postgres": (True, ""), "nats": (True, "")}
    events = await database.fetch("SELECT * FROM events ORDER BY seq")
    output = [row for row in events if row["event_type"] == "session.output"]
    assert [(row["encoding"], row["payload"].encode()) for row in output[:5:3]] == [(None, lines[0]), (None, lines[3])]
    assert [row["encoding"] for row in output] == [None, "base64", "base64", None, None, "blob"]
    session = dict(await database.fetchrow("SELECT * FROM sessions") or {})
    assert session["name"] == "a-session"
    assert session["state"] == "waiting_input"
    assert session["waiting_for"] == "question"
    assert session["current_directory"] == "/\ufffdx"
    assert (session["cost_usd"], session["input_tokens"], session["turns"]) == (0.5, 10, 2)
    assert session["output_count"] == 6
    assert session["last_seq"] == last
    state = await database.fetchrow("SELECT * FROM inputs")
    assert state is not None
    assert (state["input_id"], state["state"], state["content"]) == (input_id, "delivered", r'"go \u0000 on"')
    assert await database.fetchval("SELECT sum(length(data)) FROM blobs") == 1_300_011
    assert await database.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_once_and_in_order_through_kills_of_nats_and_cut_connections(
    log: LogPublisher,
    log_connect: Connect,
    fresh_nats: Nats,
    database_url: str,
    database: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await log.created()
    count = 0
    async with running(await log_connect(), database_url):
        for _ in range(3):
            for _ in range(5):
                seq = await log.lines(*(numbered(count + n) for n in range(100)))
                count += 100
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'jelmore-persister'"
            )
            await kill_nats(fresh_nats)
            await until_connected(log.client)
            seq = await log.line(numbered(count))
            count += 1
            await mirrored(database, seq)
    assert await output_lines(database, log) == list(range(count))


async def until_connected(client: Client) -> None:
    async def flushed() -> bool:
        try:
            await client.flush(1)
            await client.jsm().stream_info("JELMORE")
        except Exception:
            return False
        return True

    await until(flushed)


async def test_of_two_one_writes_and_the_other_takes_over(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.created()
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(log.client, database_url))
        async with running(log.client, database_url) as second:
            await mirrored(database, await log.lines(*map(numbered, range(50))))
            assert first.active != second.active
        # Whichever is left writes on.
        await mirrored(database, await log.lines(*map(numbered, range(50, 100))))
        assert first.active
    assert await output_lines(database, log) == list(range(100))


async def test_one_connection_has_the_lock_and_only_the_position_may_be_built_on(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    entry = Entry(1, *log.message("session.output", numbered(0))[:2], 0)
    first, second = await Store.connect(database_url), await Store.connect(database_url)
    try:
        assert (await first.lock(), await second.lock()) == (True, False)
        position = await first.position()
        await first.write(position, [entry])
        # One that still believes to be the writer.
        with pytest.raises(PositionMoved):
            await second.write(position, [entry._replace(seq=2)])
        assert await output_lines(database, log) == [0]
        await first.close()
        assert await second.lock()
    finally:
        await first.close()
        await second.close()


async def test_noise_is_set_aside(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.created()
    output = event_subject(log.key, "session.output")
    good = log.message("session.output", b"{}").data
    noise = [
        (output, b""),
        (output, b"\xff\xfe"),
        (output, b'{"id":1}'),
        (output, good.replace(log.key.session_id.encode(), b"00000000-0000-0000-0000-000000000000")),
        (output, good.replace(b"{}", b"{")),
        (output, good.replace(b"{}", b'"\xff"')),
        (event_subject(log.key, "session.error"), good),
        ("jelmore.event.UPPER.x.session.output", good),
        (f"jelmore.event.other.{log.key.session_id}.session.output", good),
        (f"jelmore.command.{log.key.namespace}.{log.key.session_id}.input", b"{}"),
        (f"jelmore.blob.{log.key.namespace}.{log.key.session_id}.name.x", b"data"),
        (f"jelmore.blob.{log.key.namespace}.{log.key.session_id}", b"data"),
        (report_subject(log.key), b'{"cursor":[1,2,0,0,0]}'),
        (report_subject(log.key), b'{"cursor":[0,0,0,0,0],"run":-7,"phase":"ready","state":"idle"}'),
    ]
    strange = [
        log.message(EventType.STATE_CHANGED, b'{"to":"nowhere","run":1e400}'),
        log.message(EventType.STATE_CHANGED, b"[1]"),
        log.message(EventType.INPUT, b'{"input_id":"' + b"x" * 9000 + b'","state":"queued"}'),
        log.message(EventType.TURN_COMPLETED, b'{"turn":99999999999999999999,"cost_usd":-1}'),
        log.message("session.something_new", b"null"),
        log.message(EventType.APPROVAL_REQUESTED, b"[" * 400 + b"]" * 400),
        log.message(EventType.CREATED, rb'{"name":"\ud800","spec":{"query":"\u0000"}}'),
    ]
    for subject, data in noise:
        await log.raw(subject, data)
    for message in strange:
        await log.raw(message.subject, message.data)
    last = await log.line(numbered(1))
    async with running(log.client, database_url):
        await mirrored(database, last)
    assert [row["subject"] for row in await database.fetch("SELECT subject FROM dead_letters ORDER BY seq")] == [
        subject for subject, _ in noise
    ]
    assert await database.fetchval("SELECT count(*) FROM events") == 2 + len(strange)
    assert await database.fetchval("SELECT name FROM sessions") == "?"


async def test_subjects_that_are_no_text_are_set_aside(
    log: LogPublisher, log_connect: Connect, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.created()
    prefix = event_subject(log.key, "").encode()
    for subject in (prefix + b"\xff", prefix + b"a\0b", prefix + b"session.output.\xed\xa0\x80"):
        await log.publish_bytes(subject, b"{}")
    last = await log.line(numbered(1))
    assert last == 5
    async with running(await log_connect(), database_url):
        await mirrored(database, last)
    assert await output_lines(database, log) == [1]
    assert await database.fetchval("SELECT count(*) FROM dead_letters") == 3


async def test_what_cannot_be_stored_is_set_aside(
    log: LogPublisher,
    database_url: str,
    database: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await database.execute("ALTER TABLE commands ADD CHECK (payload NOT LIKE '%poison%')")
    await log.created()
    await log.input("poison")
    last = await log.lines(*map(numbered, range(20)))
    async with running(log.client, database_url):
        await mirrored(database, last)
    assert await output_lines(database, log) == list(range(20))
    assert "commands" in await database.fetchval("SELECT reason FROM dead_letters")


async def test_a_defect_of_the_fold_holds_up_one_message_only(
    log: LogPublisher,
    database_url: str,
    database: "asyncpg.Connection[asyncpg.Record]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(sessions: Any, entries: Any, blobs: Any) -> Changes:
        if any(b"session.quota" in entry.data for entry in entries):
            raise ZeroDivisionError
        return fold(sessions, entries, blobs)

    monkeypatch.setattr("jelmore_api.persister.store.fold", failing)
    await log.created()
    await log.event(EventType.QUOTA, status="x")
    last = await log.lines(*map(numbered, range(20)))
    async with running(log.client, database_url):
        await mirrored(database, last)
    assert await output_lines(database, log) == list(range(20))
    assert "ZeroDivisionError" in await database.fetchval("SELECT reason FROM dead_letters")


async def test_a_stream_made_anew_goes_on_above_and_gives_agents_their_place_back(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.created()
    await log.report(Report(Cursor(1, 50, 0, 0, 0), 1, Phase.READY, SessionState.IDLE, open_inputs=3))
    last = await log.lines(*map(numbered, range(5)))
    jetstream = log.client.jetstream()
    async with running(log.client, database_url):
        await mirrored(database, last)
        await jetstream.delete_stream("JELMORE")

        async def made() -> bool:
            try:
                return bool((await jetstream.stream_info("JELMORE")).config.allow_direct)
            except Exception:
                return False

        await until(made)
        info = await jetstream.stream_info("JELMORE")
        assert info.config.subjects is not None
        assert len(info.config.subjects) == 4
        restored = await jetstream.get_last_msg("JELMORE", report_subject(log.key), direct=True)
        assert restored.seq is not None
        assert restored.seq > last
        body = json.loads(restored.data or b"")
        assert body["cursor"] == [1, log.offset, 0, 0, 0]
        assert body["openInputs"] == 3
        await mirrored(database, await log.line(numbered(5)))
    assert await output_lines(database, log) == list(range(6))


async def test_approvals_open_and_close(
    log: LogPublisher, database_url: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.created()
    for approval_id in ("a", "b", "c"):
        await log.event(
            EventType.APPROVAL_REQUESTED, approval_id=approval_id, kind="approval", tool_name="Bash", input={}
        )
    await log.event(EventType.APPROVAL_RESOLVED, approval_id="b", decision="deny", by="user", message="no")
    large = json.dumps({"approval_id": "large", "kind": "plan", "tool_name": "W", "input": {"x": "y" * 600_000}})
    last = await log.blob("1-1-9-0", large.encode(), EventType.APPROVAL_REQUESTED)
    async with running(log.client, database_url):
        await mirrored(database, last)
        rows = await database.fetch("SELECT approval_id FROM approvals WHERE decision IS NULL ORDER BY 1")
        assert [row["approval_id"] for row in rows] == ["a", "c", "large"]
        assert await database.fetchval("SELECT request FROM approvals WHERE kind = 'plan'") == large
        await mirrored(database, await log.event(EventType.TERMINATED, reason="deleted"))
        assert await database.fetchval("SELECT count(*) FROM approvals WHERE decision = 'cancelled'") == 3
    assert await database.fetchval("SELECT decided_by FROM approvals WHERE approval_id = 'b'") == "user"
