"""What is to be published, and the messages that it becomes in the log."""

from typing import NamedTuple

from jelmore_agent.bus import Message
from jelmore_agent.fold import Event
from jelmore_contract.bus import EXPECTED_LAST_SUBJECT_SEQUENCE
from jelmore_contract.events import BLOB_CHUNK, BLOB_THRESHOLD, Encoding, EventType, encode_event, encode_json
from jelmore_contract.report import Cursor, Report
from jelmore_contract.subjects import SessionKey, blob_subject, event_subject, report_subject


class Item(NamedTuple):
    """What is to be published. `report`: the state at this place, where it changed. No event: the report alone."""

    cursor: Cursor
    timestamp: str
    event: Event | None
    report: Report | None

    @property
    def size(self) -> int:
        return len(self.event.payload) + 200 if self.event else 200

    @property
    def messages(self) -> int:
        """How many it becomes, at most."""
        return 1 + (self.size // BLOB_CHUNK + 1 if self.size > BLOB_THRESHOLD else 0)

    @property
    def is_output(self) -> bool:
        return self.event is not None and self.event.event_type == EventType.OUTPUT

    @property
    def needs_no_batch(self) -> bool:
        """Whether it is a line's output event, in one message, and nothing else."""
        return self.is_output and self.report is None and self.messages == 1


def event_message(key: SessionKey, item: Item, after: int | None = None) -> Message:
    """The item's event. `after`: refused unless the last sequence on its subject is this one."""
    event = item.event
    assert event is not None, "only items with an event become one"
    payload, encoding = event.payload, event.encoding
    if len(payload) > BLOB_THRESHOLD:
        # Beside the name, where they are not the line itself: how the blob's bytes stand for it.
        inner = {"encoding": encoding} if encoding else {}
        payload = encode_json({"blob": _blob_name(item.cursor), "size": len(payload)} | inner)
        encoding = Encoding.BLOB
    event_id = item.cursor.event_id(key.session_id, event.event_type)
    data = encode_event(event_id, event.event_type, key.session_id, item.timestamp, payload, encoding)
    return Message(event_subject(key, event.event_type), data, {} if after is None else _only_after(after))


def chunk_messages(key: SessionKey, item: Item) -> list[Message]:
    """The payload of a big event, which goes ahead of it; none for any other."""
    payload = item.event.payload if item.event else b""
    if len(payload) <= BLOB_THRESHOLD:
        return []
    name = _blob_name(item.cursor)
    pieces = (payload[start : start + BLOB_CHUNK] for start in range(0, len(payload), BLOB_CHUNK))
    return [Message(blob_subject(key, name, n), piece, {}) for n, piece in enumerate(pieces)]


def report_message(key: SessionKey, report: Report, after: int) -> Message:
    return Message(report_subject(key), encode_json(report), _only_after(after))


def _only_after(seq: int) -> dict[str, str]:
    return {EXPECTED_LAST_SUBJECT_SEQUENCE: str(seq)}


def _blob_name(cursor: Cursor) -> str:
    return f"{cursor.run}-{cursor.source}-{cursor.fact or cursor.offset}-{cursor.index}"
