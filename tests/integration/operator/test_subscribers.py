"""A subscriber from outside hears the events of its namespaces and may do nothing else, tried on a real server."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig

from jelmore_api.persister.stream import stream_config
from jelmore_contract import bus, subjects
from jelmore_contract.events import EventType
from jelmore_contract.subjects import STREAM, SessionKey
from jelmore_local.servers.nats import Nats
from jelmore_operator.identity import Identity
from tests.support.flush import flush

#: How long something must not arrive; the server answers within a millisecond.
QUIET_S = 0.2
LIMIT_S = 30

type Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture
async def core(fresh_nats: Nats) -> AsyncIterator[Client]:
    client = await nats.connect(fresh_nats.url, user_credentials=str(fresh_nats.credentials))
    await client.jetstream().add_stream(stream_config(1))
    yield client
    await client.close()


@pytest.fixture
async def connect(core: Client, fresh_nats: Nats, tmp_path: Path) -> AsyncIterator[Connect]:
    """Connects with the text of a credentials file."""
    clients: list[Client] = []

    async def connect(credentials: str) -> Client:
        path = tmp_path / f"{len(clients)}.creds"
        path.write_text(credentials)
        clients.append(await nats.connect(fresh_nats.url, user_credentials=str(path), error_cb=_ignore))
        return clients[-1]

    yield connect
    for client in clients:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """A refusal comes as an error beside the connection; the tests look at what arrives and what is stored."""


@pytest.fixture
async def spy(connect: Connect, fresh_nats: Nats) -> Client:
    """A subscriber to team-a and team-b."""
    return await connect(Identity.load(fresh_nats.identity_file).subscriber_credentials("spy", ["team-a", "team-b"]))


def key(namespace: str) -> SessionKey:
    return subjects.session_key(namespace, str(uuid.uuid4()))


async def subscribed(client: Client, subject: str, queue: str = "") -> Subscription:
    """Once the server knows of it."""
    subscription = await client.subscribe(subject, queue=queue)
    await flush(client)
    return subscription


async def stored(core: Client) -> int:
    return (await core.jetstream().stream_info(STREAM)).state.messages


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
async def test_it_hears_what_operator_and_agents_tell(
    core: Client, connect: Connect, spy: Client, fresh_nats: Nats, namespace: str
) -> None:
    session = key(namespace)
    heard = await subscribed(spy, subjects.namespace_events(namespace))
    created, output = (subjects.event_subject(session, kind) for kind in (EventType.CREATED, EventType.OUTPUT))
    await core.jetstream().publish(created, b"by the operator")
    agent = await connect(Identity.load(fresh_nats.identity_file).session_credentials(session))
    await agent.publish(output, b"by the agent")
    await flush(agent)
    assert [(m.subject, m.data) for m in [await heard.next_msg(LIMIT_S), await heard.next_msg(LIMIT_S)]] == [
        (created, b"by the operator"),
        (output, b"by the agent"),
    ]
    with pytest.raises(nats.errors.TimeoutError):
        await heard.next_msg(QUIET_S)


async def test_to_all_namespaces(core: Client, connect: Connect, fresh_nats: Nats) -> None:
    subscriber = await connect(Identity.load(fresh_nats.identity_file).subscriber_credentials("all", []))
    heard = await subscribed(subscriber, subjects.ALL_EVENTS)
    await core.jetstream().publish(subjects.event_subject(key("team-z"), EventType.OUTPUT), b"one")
    assert (await heard.next_msg(LIMIT_S)).data == b"one"


@pytest.mark.parametrize(
    "subject",
    [
        ">",
        "jelmore.>",
        "jelmore.event.>",
        "jelmore.event.*.*.session.output",
        "jelmore.event.team-c.>",
        "jelmore.command.team-a.>",
        "jelmore.blob.team-a.>",
        "jelmore.live.team-a.>",
        "jelmore.agent.team-a.>",
        "_INBOX.>",
        "*.>",
        "$JS.>",
        "$SYS.>",
    ],
)
@pytest.mark.parametrize("queue", ["", "group"])
async def test_it_hears_nothing_else(core: Client, spy: Client, subject: str, queue: str) -> None:
    heard = await subscribed(spy, subject, queue=queue)
    for namespace in ("team-a", "team-c"):
        own = key(namespace)
        await core.publish(subjects.live_subject(own), b"secret")
        await core.jetstream().publish(subjects.command_subject(own, "input"), b"secret")
        await core.jetstream().publish(subjects.blob_subject(own, "name", 0), b"secret")
        await core.jetstream().publish(subjects.report_subject(own), b"secret")
        await core.jetstream().publish(subjects.event_subject(own, EventType.OUTPUT), b"event")
    await core.jetstream().account_info()
    with pytest.raises(nats.errors.TimeoutError):
        await heard.next_msg(QUIET_S)


REQUESTS = {
    "an event": ("jelmore.event.team-a.{id}.session.output", b"forged"),
    "a command": ("jelmore.command.team-a.{id}.input", b"forged"),
    "a blob": ("jelmore.blob.team-a.{id}.name.0", b"forged"),
    "direct get": (f"$JS.API.DIRECT.GET.{STREAM}.jelmore.event.team-a.>", b""),
    "get": (f"$JS.API.STREAM.MSG.GET.{STREAM}", b'{"seq": 1}'),
    "next": (f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.there", b"1"),
    "purge": (f"$JS.API.STREAM.PURGE.{STREAM}", b""),
    "delete": (f"$JS.API.STREAM.DELETE.{STREAM}", b""),
    "a consumer": (
        f"$JS.API.CONSUMER.CREATE.{STREAM}",
        json.dumps(
            {"stream_name": STREAM, "config": {"deliver_subject": "jelmore.event.team-a.x.y", "ack_policy": "none"}}
        ).encode(),
    ),
    "an acknowledgement": (f"$JS.ACK.{STREAM}.there.1.1.1.0.0", b"+ACK"),
}


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("reply", ["", "jelmore.event.team-a.x.session.output", "jelmore.command.team-a.x.input"])
async def test_it_writes_nothing_and_has_nothing_written(core: Client, spy: Client, request_: str, reply: str) -> None:
    """A reply subject would be where the server itself writes its answer."""
    there = ConsumerConfig(durable_name="there", filter_subject="jelmore.event.>", ack_policy=AckPolicy.EXPLICIT)
    await core.jetstream().publish(subjects.event_subject(key("team-c"), EventType.OUTPUT), b"precious")
    await core.jetstream().add_consumer(STREAM, there)
    heard = await subscribed(spy, "jelmore.event.team-a.>")
    subject, data = REQUESTS[request_]
    await spy.publish(subject.format(id=uuid.uuid4()), data, reply=reply)
    await flush(spy)
    with pytest.raises(nats.errors.TimeoutError):
        await heard.next_msg(QUIET_S)
    assert await stored(core) == 1
    consumers = await core.jetstream().consumers_info(STREAM)
    assert [(consumer.name, consumer.num_pending) for consumer in consumers] == [("there", 1)]


async def test_a_queue_group_takes_nothing_from_the_log(core: Client, spy: Client) -> None:
    await subscribed(spy, "jelmore.event.team-a.>", queue="JELMORE")
    for _ in range(10):
        await core.jetstream().publish(subjects.event_subject(key("team-a"), EventType.OUTPUT), b"one")
    assert await stored(core) == 10


def test_a_name_that_would_open_more() -> None:
    for namespace in ("*", ">", "team-a.>", "", "Team"):
        with pytest.raises(ValueError, match="not a namespace name"):
            Identity.generate().subscriber_credentials("spy", [namespace])


@pytest.mark.parametrize("durable", [bus.consumer_name(SessionKey("team-a", str(uuid.UUID(int=1))))])
async def test_it_cannot_take_a_sessions_commands(core: Client, spy: Client, durable: str) -> None:
    await core.jetstream().add_consumer(STREAM, ConsumerConfig(durable_name=durable, ack_policy=AckPolicy.EXPLICIT))
    with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
        await spy.request(bus.next_subject(STREAM, durable), b"1", timeout=QUIET_S)
