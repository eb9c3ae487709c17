"""Events: the types, and the envelope as bytes. What is in the payloads stands in `payloads`.

An event is `{"id", "event_type", "session_id", "timestamp", "payload"}`; readers get `seq`, the stream sequence,
added in front. The payload of `session.output` is the CLI's line whole and unchanged, so envelopes are spliced from
bytes and never decoded and encoded again. Beside `payload` may stand `"encoding"`: `base64` (the payload is
`{"base64": …}`: the line was no JSON or no UTF-8) or `blob` (the payload is `{"blob": name, "size": bytes}`: the
payload proper lies in chunks under that name).
"""

import base64
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec


class EventType(StrEnum):
    CREATED = "session.created"
    SPEC_CHANGED = "session.spec_changed"
    STATE_CHANGED = "session.state_changed"
    OUTPUT = "session.output"
    DIRECTORY_CHANGED = "session.directory_changed"
    FILE_MODIFIED = "session.file_modified"
    GIT_ACTIVITY = "session.git_activity"
    INPUT = "session.input"
    APPROVAL_REQUESTED = "session.approval_requested"
    APPROVAL_RESOLVED = "session.approval_resolved"
    TURN_COMPLETED = "session.turn_completed"
    DIFF = "session.diff"
    QUOTA = "session.quota"
    ERROR = "session.error"
    TERMINATED = "session.terminated"


#: A partial message on `jelmore.live.…`: never stored, since the full message follows as an event.
LIVE_OUTPUT = "session.output_delta"


class Encoding(StrEnum):
    """How a payload that is not plain JSON stands in its event."""

    BASE64 = "base64"
    BLOB = "blob"


#: A payload of more bytes than this goes as a blob (design section 4: 512 KiB).
BLOB_THRESHOLD = 512 * 1024
#: Bytes of a blob in one message; NATS' default `max_payload` is 1 MiB.
BLOB_CHUNK = 512 * 1024


def encode_json(value: object) -> bytes:
    """Compact JSON bytes of what this code made itself; a lone surrogate in a string goes as its escape."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and Z: `2025-08-06T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def now() -> str:
    return rfc3339(datetime.now(UTC))


def encode_event(
    event_id: str, event_type: str, session_id: str, timestamp: str, payload: bytes, encoding: Encoding | None = None
) -> bytes:
    """The envelope with `payload` (JSON bytes) spliced in untouched. The other fields must need no JSON escaping."""
    head = _head(event_id, event_type, session_id, timestamp, encoding)
    return b"".join((b"{", head.encode(), payload, b"}"))


def reader_text(
    seq: int, event_id: str, event_type: str, session_id: str, timestamp: str, encoding: str | None, payload: str
) -> str:
    """The event as readers get it: with `seq` as its first field, `payload` (JSON) untouched."""
    return f'{{"seq":{seq},{_head(event_id, event_type, session_id, timestamp, encoding)}{payload}}}'


def _head(event_id: str, event_type: str, session_id: str, timestamp: str, encoding: str | None) -> str:
    mark = f'"encoding":"{encoding}",' if encoding else ""
    return (
        f'"id":"{event_id}","event_type":"{event_type}","session_id":"{session_id}",'
        f'"timestamp":"{timestamp}",{mark}"payload":'
    )


# The head that encode_event makes, in its fixed order. Events of other writers are decoded instead.
_HEAD = re.compile(
    rb'\{"id":"([^"\\]*)","event_type":"([^"\\]*)","session_id":"([^"\\]*)","timestamp":"([^"\\]*)",(?:"encoding":"([a-z0-9]+)",)?"payload":'
)


class Envelope(NamedTuple):
    """An event taken apart; `payload` is its JSON text as it came, byte for byte."""

    id: str
    event_type: str
    session_id: str
    timestamp: str
    encoding: str | None
    payload: bytes


class _Loose(msgspec.Struct):
    id: str
    event_type: str
    session_id: str
    timestamp: str
    payload: msgspec.Raw
    encoding: str | None = None


def decode_event(event: bytes) -> Envelope:
    """Takes an event apart without touching its payload. Raises ValueError for what is no event."""
    match = _HEAD.match(event)
    if match and event.endswith(b"}"):
        parts = [part.decode() if part is not None else None for part in match.groups()]
        return Envelope(
            parts[0] or "", parts[1] or "", parts[2] or "", parts[3] or "", parts[4], event[match.end() : -1]
        )
    try:
        loose = msgspec.json.decode(event, type=_Loose)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not an event: {error}") from error
    return Envelope(loose.id, loose.event_type, loose.session_id, loose.timestamp, loose.encoding, bytes(loose.payload))


def is_json(line: bytes) -> bool:
    """Whether a line can stand in an envelope as it is: strict JSON (RFC 8259) in UTF-8. Escaped lone surrogates are
    JSON.
    """
    try:
        msgspec.json.decode(line)
        return True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        json.loads(line.decode("utf-8"), parse_constant=_refuse)
        return True
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def line_payload(line: bytes) -> tuple[bytes, Encoding | None]:
    """The payload of `session.output` for one line of the CLI, without its newline."""
    if is_json(line):
        return line, None
    return b'{"base64":"' + base64.b64encode(line) + b'"}', Encoding.BASE64


def payload_line(payload: bytes, encoding: str | None) -> bytes:
    """The line again, byte for byte, from the payload of a `session.output` that is no blob."""
    if encoding == Encoding.BASE64:
        return base64.b64decode(json.loads(payload)["base64"], validate=True)
    return payload
