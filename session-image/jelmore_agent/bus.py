"""The agent's connection to NATS: kept up for ever, with this session's own identity and inbox."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from uuid import uuid4

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from jelmore_bus import Access, BusClient, Tls
from jelmore_contract import bus
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.subjects import session_key

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT = 5.0  # seconds
_RETRY = 0.25  # seconds between attempts to connect


class Message(NamedTuple):
    """A message to be stored."""

    subject: str
    data: bytes
    headers: Mapping[str, str]


class Refused(Exception):
    """JetStream stored nothing. `code`: its error code."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


async def connect(config: AgentConfig, reconnected: Callable[[], Awaitable[None]]) -> Client:
    """Tries until the server answers. Afterwards the client reconnects by itself and calls `reconnected` each time."""
    client = BusClient(logger)
    tls = Tls(config.nats_ca, config.nats_certificate, config.nats_key)
    await client.open(
        Access(config.nats_url, config.nats_credentials, tls),
        name=f"jelmore-agent {config.session_id}",
        retry=_RETRY,
        reconnected=reconnected,
        inbox_prefix=bus.inbox_prefix(session_key(config.namespace, config.session_id)).encode(),
        connect_timeout=2,
        ping_interval=20,
        max_outstanding_pings=2,
        pending_size=0,  # while there is no connection nothing is kept in memory: what is to be told is on disk
    )
    return client


async def last_message(client: Client, stream: str, subject: str) -> Msg | None:
    """The last stored message of a subject, or None. Raises nats.errors.Error, TimeoutError."""
    answer = await client.request(bus.direct_get_subject(stream, subject), b"", timeout=REQUEST_TIMEOUT)
    status = (answer.headers or {}).get("Status")
    if status == "404":
        return None
    if status is not None:
        raise nats.errors.Error(f"direct get: {status} {(answer.headers or {}).get('Description', '')}")
    return answer


async def store(client: Client, message: Message) -> int:
    """Stores one message; its sequence. Raises Refused, nats.errors.Error, TimeoutError."""
    answer = await client.request(
        message.subject, message.data, timeout=REQUEST_TIMEOUT, headers=dict(message.headers) or None
    )
    return _sequence(answer)


async def store_batch(client: Client, messages: list[Message]) -> int:
    """Stores all of them or none, in order; the last one's sequence. Raises as `store`."""
    batch = uuid4().hex
    for number, message in enumerate(messages, 1):
        headers = {**message.headers, bus.BATCH_ID: batch, bus.BATCH_SEQUENCE: str(number)}
        if number == len(messages):
            return await store(client, message._replace(headers={**headers, bus.BATCH_COMMIT: "1"}))
        await client.publish(message.subject, message.data, headers=headers)
    raise ValueError("a batch of no messages")


def _sequence(answer: Msg) -> int:
    if (answer.headers or {}).get("Status"):
        raise nats.errors.Error(f"no stream answers: {(answer.headers or {}).get('Status')}")
    body = json.loads(answer.data)
    if "error" in body:
        raise Refused(int(body["error"].get("err_code", 0)), str(body["error"].get("description", "")))
    if body.get("duplicate"):
        raise Refused(0, "the server took a first send for a duplicate")
    return int(body["seq"])
