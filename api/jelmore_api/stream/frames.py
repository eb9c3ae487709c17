"""Events as clients get them: encoded once, from the stream or from rows, byte for byte the same."""

from typing import NamedTuple

from jelmore_contract.events import Encoding, Envelope, decode_event, encode_event, encode_json, is_json, reader_text
from jelmore_contract.frames import BATCH, END, READY, REPLY
from jelmore_contract.subjects import Subject, parse_subject, session_key


class Frame(NamedTuple):
    """`text`: JSON, as str, since that is what ASGI takes. `seq`: 0 for what is not in the log (deltas, stream.*)."""

    seq: int
    event_type: str
    text: str


def read_subject(subject: str) -> Subject:
    """Raises ValueError for a subject that names no session."""
    parsed = parse_subject(subject)
    session_key(*parsed.key)
    return parsed


def read_event(subject: Subject, data: bytes) -> Envelope:
    """What counts as an event, for live clients and for the mirror alike. Raises ValueError, with why, for noise."""
    event = decode_event(data)
    if event.event_type != subject.rest:
        raise ValueError(f"event_type {event.event_type!r} came on the subject of {subject.rest!r}")
    if event.session_id != subject.key.session_id:
        raise ValueError(f"session_id {event.session_id!r} came on the subject of {subject.key.session_id!r}")
    _check(event)
    return event


def _check(event: Envelope) -> None:
    """That it can be written as `encode_event` does: spliced. Raises ValueError."""
    for text in (event.id, event.event_type, event.session_id, event.timestamp):
        if not text.isprintable() or '"' in text or "\\" in text:
            raise ValueError("id, event_type, session_id and timestamp must be plain text")
    if event.encoding is not None and event.encoding not in set(Encoding):
        raise ValueError(f"unknown encoding {event.encoding!r}")
    if not is_json(event.payload):
        raise ValueError("payload is not JSON")


def event_frame(seq: int, event: Envelope) -> Frame:
    """In the one form that the log's own writers use, whoever wrote it."""
    event_id, event_type, session_id, timestamp, encoding, payload = event
    return row_frame(session_id, seq, event_id, event_type, timestamp, encoding, payload.decode())


def row_frame(
    session_id: str, seq: int, event_id: str, event_type: str, timestamp: str, encoding: str | None, payload: str
) -> Frame:
    """Of a row of table `events`, whose columns these are."""
    return Frame(seq, event_type, reader_text(seq, event_id, event_type, session_id, timestamp, encoding, payload))


def ready_frame(seq: int) -> Frame:
    """All that was stored up to `seq` has been sent."""
    return Frame(0, READY, f'{{"event_type":"{READY}","seq":{seq}}}')


def end_frame(seq: int) -> Frame:
    """The session has ended, and `seq` was its last event."""
    return Frame(0, END, f'{{"event_type":"{END}","seq":{seq}}}')


def batch_frame(frames: list[Frame]) -> Frame:
    """Many events in one message."""
    return Frame(frames[-1].seq, BATCH, f'{{"event_type":"{BATCH}","events":[{",".join(f.text for f in frames)}]}}')


def reply_frame(fields: dict[str, object]) -> Frame:
    return Frame(0, REPLY, encode_json({"event_type": REPLY, **fields}).decode())


def delta_frame(data: bytes) -> Frame:
    """A partial message, as its agent sent it. Raises ValueError for what is none."""
    event = decode_event(data)
    _check(event)
    encoding = Encoding(event.encoding) if event.encoding else None
    text = encode_event(event.id, event.event_type, event.session_id, event.timestamp, event.payload, encoding)
    return Frame(0, event.event_type, text.decode())
