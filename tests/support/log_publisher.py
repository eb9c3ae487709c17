"""Writing to the log as a session's agent, the API and whoever reconciles do."""

import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client

from jelmore_agent.bus import Message, store, store_batch
from jelmore_api.persister.stream import prepare_log
from jelmore_bus import Access, BusClient
from jelmore_contract.commands import InputCommand, encode_command
from jelmore_contract.events import BLOB_CHUNK, Encoding, EventType, encode_event, encode_json, line_payload, rfc3339
from jelmore_contract.report import Cursor, Report
from jelmore_contract.subjects import SessionKey, blob_subject, command_subject, event_subject, report_subject
from jelmore_local.servers.nats import Nats
from tests.support.flush import flush


def now() -> str:
    return rfc3339(datetime.now(UTC))


@dataclass
class LogPublisher:
    """One session's. Every call returns the stream sequence of (the last of) what it stored."""

    client: Client
    key: SessionKey = field(default_factory=lambda: SessionKey("default", str(uuid4())))
    offset: int = 0

    def message(self, event_type: str, payload: bytes, encoding: Encoding | None = None) -> Message:
        self.offset += 100
        event_id = Cursor(1, self.offset, 0, 0, 0).event_id(self.key.session_id, event_type)
        data = encode_event(event_id, event_type, self.key.session_id, now(), payload, encoding)
        return Message(event_subject(self.key, event_type), data, {})

    async def event(self, event_type: str, **payload: Any) -> int:
        return await store(self.client, self.message(event_type, encode_json(payload)))

    async def created(self) -> int:
        return await self.event(EventType.CREATED, name="a-session", namespace=self.key.namespace, spec={"query": "hi"})

    async def line(self, line: bytes) -> int:
        return await store(self.client, self.message(EventType.OUTPUT, *line_payload(line)))

    async def lines(self, *lines: bytes) -> int:
        """As one atomic batch."""
        return await store_batch(self.client, [self.message(EventType.OUTPUT, *line_payload(line)) for line in lines])

    async def blob(self, name: str, content: bytes, event_type: str = EventType.OUTPUT) -> int:
        """The chunks, then the event that names them."""
        pieces = [content[start : start + BLOB_CHUNK] for start in range(0, len(content), BLOB_CHUNK)]
        messages = [Message(blob_subject(self.key, name, n), piece, {}) for n, piece in enumerate(pieces)]
        payload = encode_json({"blob": name, "size": len(content)})
        return await store_batch(self.client, [*messages, self.message(event_type, payload, Encoding.BLOB)])

    async def report(self, report: Report) -> int:
        return await store(self.client, Message(report_subject(self.key), encode_json(report), {}))

    async def input(self, text: str) -> tuple[str, int]:
        """The input's id and its command's sequence."""
        input_id = str(uuid4())
        body = encode_command(InputCommand(input_id, text), input_id, self.key.session_id, now())
        return input_id, await self.raw(command_subject(self.key, "input"), body)

    async def publish_bytes(self, subject: bytes, data: bytes) -> None:
        """On a subject that nats-py would refuse, by a connection of its own that knows no better."""
        self.client._pending.append(b"PUB %s %d\r\n%s\r\n" % (subject, len(data), data))
        await self.client._flush_pending()
        await flush(self.client)

    async def raw(self, subject: str, data: bytes) -> int:
        """Whatever it is."""
        return await store(self.client, Message(subject, data, {}))


def is_notice(event: dict[str, Any]) -> bool:
    """Whether a frame tells of the stream, not of the session."""
    return str(event["event_type"]).startswith("stream.")


type Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def log_connect(fresh_nats: Nats) -> AsyncIterator[Connect]:
    """Connections to a NATS of the test's own, with its stream; they come back as often as the server does."""
    clients: list[Client] = []

    async def connected() -> Client:
        client = BusClient(logging.getLogger(__name__))
        await client.open(Access(fresh_nats.url, str(fresh_nats.credentials)), name="test", retry=0.1)
        clients.append(client)
        return client

    await prepare_log(await connected(), 0, no_reports)
    yield connected
    for client in clients:
        await client.close()


async def no_reports() -> list[Any]:
    """For a stream that is new."""
    return []


async def kill_nats(server: Nats) -> None:
    """Returns once it serves again."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.ended()
    await server.restart()


@pytest.fixture
async def log(log_connect: Connect) -> LogPublisher:
    return LogPublisher(await log_connect())
