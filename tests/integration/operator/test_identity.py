"""Sessions kept apart, tried on a real server: each test is an attack that worked on some simpler arrangement."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nats
import nats.errors
import nkeys
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from jelmore_api.persister.stream import stream_config
from jelmore_contract import bus, subjects
from jelmore_contract.commands import CommandKind
from jelmore_contract.events import EventType
from jelmore_contract.subjects import STREAM, SessionKey
from jelmore_local.servers.nats import Nats
from jelmore_operator.identity import Identity
from tests.support.flush import flush

NAMESPACE = "team-a"
#: How long something must not arrive; the server answers within a millisecond.
QUIET_S = 0.2
#: How long an answer may take that has to come: nats-py itself waits half a second.
LIMIT_S = 30

type Connect = Callable[[SessionKey], Awaitable[Client]]


@pytest.fixture
async def core(fresh_nats: Nats) -> AsyncIterator[Client]:
    client = await nats.connect(fresh_nats.url, user_credentials=str(fresh_nats.credentials), connect_timeout=LIMIT_S)
    await client.jetstream().add_stream(stream_config(1))
    yield client
    await client.close()


@pytest.fixture
async def connect(core: Client, fresh_nats: Nats, tmp_path: Path) -> AsyncIterator[Connect]:
    """Connects as a session's agent does; the session's consumer is there."""
    identity = Identity.load(fresh_nats.identity_file)
    clients: list[Client] = []

    async def connect(key: SessionKey) -> Client:
        credentials = tmp_path / f"{key.namespace}-{key.session_id}.creds"
        credentials.write_text(identity.session_credentials(key))
        await core.jetstream(timeout=LIMIT_S).add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=bus.consumer_name(key),
                filter_subject=subjects.session_commands(key),
                ack_policy=AckPolicy.EXPLICIT,
            ),
        )
        client = await nats.connect(
            fresh_nats.url,
            user_credentials=str(credentials),
            inbox_prefix=bus.inbox_prefix(key),
            error_cb=_ignore,
            connect_timeout=LIMIT_S,
        )
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """A refused publish comes as an error beside the connection; the tests look at what was stored."""


def new_key() -> SessionKey:
    return subjects.session_key(NAMESPACE, str(uuid.uuid4()))


async def stored(core: Client, subject: str) -> int:
    """Messages on it in the stream."""
    info = await core.jetstream(timeout=LIMIT_S).stream_info(STREAM, subjects_filter=subject)
    return sum((info.state.subjects or {}).values())


async def settled(client: Client) -> None:
    """What the client sent has been dealt with: answers to one connection keep their order."""
    await flush(client)
    await asyncio.sleep(QUIET_S)


async def test_a_session_does_its_own_work(core: Client, connect: Connect) -> None:
    key = new_key()
    agent = await connect(key)
    event = subjects.event_subject(key, EventType.OUTPUT)
    report = subjects.report_subject(key)

    answer = await agent.request(event, b"one", headers={bus.EXPECTED_LAST_SUBJECT_SEQUENCE: "0"}, timeout=LIMIT_S)
    assert json.loads(answer.data)["seq"] == 1
    await agent.publish(
        subjects.blob_subject(key, "big", 0), b"x", headers={bus.BATCH_ID: "b", bus.BATCH_SEQUENCE: "1"}
    )
    commit = {bus.BATCH_ID: "b", bus.BATCH_SEQUENCE: "2", bus.BATCH_COMMIT: "1"}
    assert json.loads((await agent.request(report, b"here", headers=commit, timeout=LIMIT_S)).data)["count"] == 2
    assert (await agent.request(bus.direct_get_subject(STREAM, report), timeout=LIMIT_S)).data == b"here"
    assert (await agent.request(bus.direct_get_subject(STREAM, event), timeout=LIMIT_S)).data == b"one"

    live = await core.subscribe(subjects.ALL_LIVE)
    await flush(core)
    await agent.publish(subjects.live_subject(key), b"delta")
    await flush(agent)
    assert (await live.next_msg(timeout=LIMIT_S)).data == b"delta"


async def test_a_session_gets_and_confirms_its_commands(core: Client, connect: Connect) -> None:
    key = new_key()
    agent = await connect(key)
    await core.jetstream(timeout=LIMIT_S).publish(subjects.command_subject(key, CommandKind.INPUT), b"go")
    inbox = await agent.subscribe(inbox_subject := agent.new_inbox())

    await agent.publish(
        bus.next_subject(STREAM, bus.consumer_name(key)), b'{"batch":10,"expires":30000000000}', reply=inbox_subject
    )
    command = await inbox.next_msg(timeout=LIMIT_S)
    assert (command.subject, command.data) == (subjects.command_subject(key, CommandKind.INPUT), b"go")
    await agent.request(command.reply, b"+ACK", timeout=LIMIT_S)
    assert (await core.jetstream(timeout=LIMIT_S).consumer_info(STREAM, bus.consumer_name(key))).num_ack_pending == 0


@pytest.mark.parametrize(
    "subject",
    [
        "jelmore.event.{other.namespace}.{other.session_id}.session.output",
        "jelmore.blob.{other.namespace}.{other.session_id}.name.0",
        "jelmore.agent.{other.namespace}.{other.session_id}",
        "jelmore.command.{other.namespace}.{other.session_id}.input",
        "jelmore.command.{own.namespace}.{own.session_id}.input",
        "jelmore.event.other-team.{own.session_id}.session.output",
    ],
)
async def test_publishing_to_another_session(core: Client, connect: Connect, subject: str) -> None:
    own, other = new_key(), new_key()
    agent = await connect(own)
    await agent.publish(subject.format(own=own, other=other), b"forged")
    await settled(agent)
    assert await stored(core, ">") == 0


@pytest.mark.parametrize("asked", ["direct get", "next", "publish"])
@pytest.mark.parametrize("forged", ["event", "command", "own event"])
async def test_a_reply_subject_that_forges_a_message(core: Client, connect: Connect, asked: str, forged: str) -> None:
    """Reply subjects are not checked against permissions: the server itself would store the answer there."""
    own, other = new_key(), new_key()
    agent = await connect(own)
    event = subjects.event_subject(own, EventType.OUTPUT)
    await agent.request(event, b"payload", timeout=LIMIT_S)
    await core.jetstream(timeout=LIMIT_S).publish(subjects.command_subject(own, CommandKind.INPUT), b"command")
    reply = {
        "event": subjects.event_subject(other, EventType.OUTPUT),
        "command": subjects.command_subject(other, CommandKind.INPUT),
        "own event": event,
    }[forged]
    request = {
        "direct get": (bus.direct_get_subject(STREAM, event), b""),
        "next": (bus.next_subject(STREAM, bus.consumer_name(own)), b"1"),
        "publish": (event, b"more"),
    }[asked]
    before = await stored(core, reply)

    await agent.publish(*request, reply=reply)
    await settled(agent)
    expected = before + (1 if (asked, forged) == ("publish", "own event") else 0)
    assert await stored(core, reply) == expected


async def test_reading_another_sessions_log(core: Client, connect: Connect) -> None:
    own, other = new_key(), new_key()
    await core.jetstream(timeout=LIMIT_S).publish(subjects.event_subject(other, EventType.OUTPUT), b"secret")
    agent = await connect(own)
    for subject in (
        bus.direct_get_subject(STREAM, subjects.event_subject(other, EventType.OUTPUT)),
        bus.direct_get_subject(STREAM, subjects.session_events(other)),
        bus.direct_get_subject(STREAM, subjects.ALL_EVENTS),
        f"$JS.API.DIRECT.GET.{STREAM}",
        f"$JS.API.STREAM.MSG.GET.{STREAM}",
    ):
        with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
            await agent.request(subject, b'{"seq": 1}', timeout=QUIET_S)


@pytest.mark.parametrize("listened", ["inbox", "all inboxes", "events", "commands", "live", "everything"])
async def test_listening_to_another_session(core: Client, connect: Connect, listened: str) -> None:
    own, other = new_key(), new_key()
    spy, victim = await connect(own), await connect(other)
    subject = {
        "inbox": f"{bus.inbox_prefix(other)}.>",
        "all inboxes": "*.>",
        "events": subjects.session_events(other),
        "commands": subjects.session_commands(other),
        "live": subjects.live_subject(other),
        "everything": ">",
    }[listened]
    heard = await spy.subscribe(subject)
    await flush(spy)
    await victim.request(subjects.event_subject(other, EventType.OUTPUT), b"secret", timeout=LIMIT_S)
    await victim.publish(subjects.live_subject(other), b"secret")
    await core.jetstream(timeout=LIMIT_S).publish(subjects.command_subject(other, CommandKind.INPUT), b"secret")
    with pytest.raises(nats.errors.TimeoutError):
        await heard.next_msg(timeout=QUIET_S)


def namesake(key: SessionKey) -> SessionKey:
    """Of another namespace: a resource may choose its session's id."""
    return subjects.session_key("team-b", key.session_id)


@pytest.mark.parametrize("other_key", [lambda _: new_key(), namesake])
async def test_taking_another_sessions_commands(
    core: Client, connect: Connect, other_key: Callable[[SessionKey], SessionKey]
) -> None:
    own = new_key()
    other = other_key(own)
    thief, _ = await connect(own), await connect(other)
    await core.jetstream(timeout=LIMIT_S).publish(subjects.command_subject(other, CommandKind.INPUT), b"for you alone")
    with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
        await thief.request(bus.next_subject(STREAM, bus.consumer_name(other)), b"1", timeout=QUIET_S)
    await thief.publish(f"$JS.ACK.{STREAM}.{bus.consumer_name(other)}.1.1.1.0.0", b"+ACK")
    await settled(thief)
    assert (await core.jetstream(timeout=LIMIT_S).consumer_info(STREAM, bus.consumer_name(other))).num_pending == 1


@pytest.mark.parametrize(
    "request_", ["STREAM.PURGE", "STREAM.DELETE", "STREAM.INFO", "STREAM.UPDATE", "CONSUMER.CREATE"]
)
async def test_administration(core: Client, connect: Connect, request_: str) -> None:
    agent = await connect(new_key())
    with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
        await agent.request(f"$JS.API.{request_}.{STREAM}", b"{}", timeout=QUIET_S)
    await core.jetstream(timeout=LIMIT_S).stream_info(STREAM)


async def test_a_roll_up_of_the_whole_stream(core: Client, connect: Connect) -> None:
    """`Nats-Rollup: all` purges everything else, whosever it is: a stream that allows any roll-up allows this one."""
    own, other = new_key(), new_key()
    await core.jetstream(timeout=LIMIT_S).publish(subjects.event_subject(other, EventType.OUTPUT), b"precious")
    agent = await connect(own)
    await agent.publish(subjects.event_subject(own, EventType.OUTPUT), b"x", headers={"Nats-Rollup": "all"})
    await settled(agent)
    assert await stored(core, subjects.session_events(other)) == 1


@pytest.mark.parametrize(("ours", "answer"), [(True, b"PONG"), (False, b"-ERR 'Authorization Violation'")])
async def test_other_keys_are_strangers(fresh_nats: Nats, ours: bool, answer: bytes) -> None:
    """By hand: nats-py leaves a connection open for every refusal."""
    identity = Identity.load(fresh_nats.identity_file) if ours else Identity.generate()
    _, jwt, _, _, seed, *_ = identity.core_credentials().replace("\n\n", "\n").splitlines()
    reader, writer = await asyncio.open_connection("127.0.0.1", fresh_nats.port)
    try:
        information = json.loads((await reader.readline()).removeprefix(b"INFO "))
        signature = nkeys.from_seed(seed.encode()).sign(information["nonce"].encode())
        sig = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        writer.write(f"CONNECT {json.dumps({'jwt': jwt, 'sig': sig, 'verbose': False})}\r\nPING\r\n".encode())
        assert (await reader.readline()).rstrip() == answer
    finally:
        writer.close()
        await writer.wait_closed()
