"""Noise on the bus stops nobody who reads it; it is counted, set aside and told of."""

import base64
import json
from collections import Counter

from jelmore_contract.dead_letters import MAX_TOLD_BYTES
from jelmore_contract.events import encode_event
from jelmore_contract.subjects import SessionKey, command_subject, event_subject, report_subject
from tests.support.api import until
from tests.support.asyncapi import Judge
from tests.support.bus_world import BusWorld

DEEP = b"[" * 100_000 + b"]" * 100_000
BROKEN_HEADERS = (
    b"NATS/1.0\r\nStatus: 404\r\nDescription: No Messages\r\n\r\n",
    b"NATS/1.0\r\nStatus: 100\r\nNats-Last-Consumer: 9\r\n\r\n",
    b"NATS/1.0\r\n\xff\xfe: \xff\r\nno colon\r\n\r\n",
    b"NATS/1.0 \xff\xff\xff \xff\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
)


def event(key: SessionKey, kind: str, payload: bytes, session_id: str | None = None) -> bytes:
    return encode_event("x", kind, session_id or key.session_id, "2025-08-06T12:00:00.000Z", payload)


def noise(key: SessionKey) -> list[tuple[bytes, bytes]]:
    """What is stored and is no message of the log."""
    stranger = "00000000-0000-4000-8000-000000000000"
    error, created = event_subject(key, "session.error"), event_subject(key, "session.created")
    bad_utf8 = f"{key.namespace}.{key.session_id}".encode()
    texts = [
        (error, b""),
        (event_subject(key, "session.output"), b"noise"),
        (report_subject(key), b"noise"),
        (error, b"noise"),
        (error, b"\xff\xfe\x00"),
        (error, b"17"),
        (error, DEEP),
        (error, b"x" * 1_000_000),
        (error, event(key, "session.created", b"{}")),
        (created, event(key, "session.created", b"{}", stranger)),
        (f"jelmore.event.default.{stranger.upper()}x.session.error", event(key, "session.error", b"{}")),
        (f"jelmore.event.elsewhere.{key.session_id}.session.error", event(key, "session.error", b"{}")),
        ("jelmore.event.x", b""),
        ("jelmore.command.x", b""),
        (command_subject(key, "nonsense"), b"{}"),
        (command_subject(key, "input") + ".more", b"{}"),
        (f"jelmore.blob.{key.namespace}.{key.session_id}.name.first", b""),
        (f"jelmore.blob.{key.namespace}.{key.session_id}.na me.0".replace(" ", "$"), b""),
        (report_subject(key) + ".more", b"{}"),
        (report_subject(SessionKey("default", stranger)), b'{"cursor":[1,2,0,0,0]}'),
        (report_subject(SessionKey("default", stranger)), DEEP),
        ("jelmore.agent.x", b"[]"),
    ]
    bytes_ = [(b"jelmore.%s.%s.\xff" % (word, bad_utf8), b"{}") for word in (b"event", b"command", b"blob", b"agent")]
    return [(subject.encode(), data) for subject, data in texts] + bytes_


async def test_noise_stops_nobody_and_is_set_aside(bus_world: BusWorld, judge: Judge) -> None:
    session = await bus_world.session(query="hello")
    client, key = bus_world.client, session.key
    before = (await client.jetstream().stream_info("JELMORE")).state.messages
    letters = noise(key)
    for subject, data in letters:
        await bus_world.publish_raw(subject, data)
    for headers in BROKEN_HEADERS:
        for word in (event_subject(key, "session.error"), command_subject(key, "input"), report_subject(key)):
            letters.append((word.encode(), b"noise"))
            await bus_world.publish_raw(word.encode(), b"noise", headers)
    # Would purge the log, were it allowed: it is not stored.
    await bus_world.publish_raw(
        event_subject(key, "session.error").encode(), b"", b"NATS/1.0\r\nNats-Rollup: all\r\n\r\n"
    )
    await session.runs_an_input()
    await bus_world.persisted()
    assert (await client.jetstream().stream_info("JELMORE")).state.messages > before + len(letters)

    rows = await bus_world.rows("SELECT seq, subject, reason, data FROM dead_letters ORDER BY seq")
    assert Counter(bytes(row["data"]) for row in rows) == Counter(data for _, data in letters)
    # They are told of once they are stored.
    await until(lambda: len(bus_world.dead) >= len(rows))
    assert [told["seq"] for told in bus_world.dead] == [row["seq"] for row in rows]
    for told, row in zip(bus_world.dead, rows, strict=True):
        assert told["on"] == f"jelmore.dead.{row['subject'].split('.')[1]}"
        assert judge.fault(told["on"], json.dumps(_bare(told)).encode()) is None
        assert (told["subject"], told["reason"], told["size"]) == (row["subject"], row["reason"], len(row["data"]))
        assert base64.b64decode(told["data"]) == bytes(row["data"])[:MAX_TOLD_BYTES]

    refused = [told for told in session.payloads("error") if told["reason"] == "command_refused"]
    # Those that an agent is handed: one word after the session's id.
    assert len(refused) == 2 + len(BROKEN_HEADERS)
    other = await bus_world.session(query="another")
    await other.runs_an_input()
    assert [event["seq"] for event in session.events] == sorted({event["seq"] for event in session.events})


def _bare(told: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if name != "on"}
