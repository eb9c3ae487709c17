"""A session's events: one class for each type, so that `match` and `isinstance` know what is in the payload. Pure."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from jelmore.values import Json, string

if TYPE_CHECKING:
    from collections.abc import Mapping

    # Types alone: the module needs more than the base install.
    from jelmore_contract import payloads

_READY = "stream.ready"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. An event of a type that this client does not know is of this class.

    seq: strictly increasing within a session, the cursor for `after`. timestamp: RFC 3339. encoding: how a payload that
    could not stand as it is does stand: `blob` ({"blob": name, "size": bytes}) or `base64` ({"base64": …}). text: the
    event's JSON as it came.
    """

    seq: int
    id: str
    event_type: str
    session_id: str
    timestamp: str
    payload: "Mapping[str, Any]"
    encoding: str | None
    text: str

    TYPE: ClassVar[str] = ""

    @property
    def time(self) -> datetime:
        """Raises ValueError for an event of a writer that keeps no rules."""
        return datetime.fromisoformat(self.timestamp).astimezone(UTC)

    @property
    def body(self) -> Json:
        """The event as JSON has it."""
        body: Json = json.loads(self.text)
        return body

    @property
    def content(self) -> bytes:
        """What the payload stands for, byte for byte: for `session.output`, the line that Claude Code printed. Of a
        blob, only its name.
        """
        # Whatever stands before the payload holds no quotes of its own.
        raw = self.text.partition('"payload":')[2][:-1].encode()
        if self.encoding == "base64":
            try:
                return base64.b64decode(string(dict(self.payload), "base64"), validate=True)
            except binascii.Error:
                return raw
        return raw


@dataclass(frozen=True, slots=True)
class Created(Event):
    TYPE = "session.created"
    payload: "payloads.Created"


@dataclass(frozen=True, slots=True)
class SpecChanged(Event):
    """What was asked for, or a label, is another."""

    TYPE = "session.spec_changed"
    payload: "payloads.SpecChanged"


@dataclass(frozen=True, slots=True)
class StateChanged(Event):
    TYPE = "session.state_changed"
    payload: "payloads.StateChanged"


@dataclass(frozen=True, slots=True)
class Output(Event):
    """The payload is a line of Claude Code's stream-json output."""

    TYPE = "session.output"


@dataclass(frozen=True, slots=True)
class DirectoryChanged(Event):
    TYPE = "session.directory_changed"
    payload: "payloads.DirectoryChanged"


@dataclass(frozen=True, slots=True)
class FileModified(Event):
    TYPE = "session.file_modified"
    payload: "payloads.FileModified"


@dataclass(frozen=True, slots=True)
class GitActivity(Event):
    TYPE = "session.git_activity"
    payload: "payloads.GitActivity"


@dataclass(frozen=True, slots=True)
class InputChanged(Event):
    """An input is queued, delivered, started, completed, failed or cancelled."""

    TYPE = "session.input"
    payload: "payloads.Input"


@dataclass(frozen=True, slots=True)
class ApprovalRequested(Event):
    TYPE = "session.approval_requested"
    payload: "payloads.ApprovalRequested"


@dataclass(frozen=True, slots=True)
class ApprovalResolved(Event):
    TYPE = "session.approval_resolved"
    payload: "payloads.ApprovalResolved"


@dataclass(frozen=True, slots=True)
class TurnCompleted(Event):
    TYPE = "session.turn_completed"
    payload: "payloads.TurnCompleted"


@dataclass(frozen=True, slots=True)
class Diff(Event):
    TYPE = "session.diff"
    payload: "payloads.Diff"


@dataclass(frozen=True, slots=True)
class Quota(Event):
    TYPE = "session.quota"
    payload: "payloads.Quota"


@dataclass(frozen=True, slots=True)
class ErrorReported(Event):
    """`session.error`."""

    TYPE = "session.error"
    payload: "payloads.Error"


@dataclass(frozen=True, slots=True)
class Terminated(Event):
    TYPE = "session.terminated"
    payload: "payloads.Terminated"


@dataclass(frozen=True, slots=True)
class OutputDelta(Event):
    """A part of a message that follows as a whole: live only, not in the log, `seq` is 0."""

    TYPE = "session.output_delta"


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything that was stored up to `seq` has been given."""

    seq: int


CLASSES: dict[str, type[Event]] = {
    kind.TYPE: kind
    for kind in (
        *(
            Created,
            SpecChanged,
            StateChanged,
            Output,
            DirectoryChanged,
            FileModified,
            GitActivity,
            InputChanged,
            ApprovalRequested,
        ),
        *(ApprovalResolved, TurnCompleted, Diff, Quota, ErrorReported, Terminated, OutputDelta),
    )
}


def read_frame(text: str) -> Event | Ready | None:
    """A frame of the stream; None for one that is no news. Raises ValueError for what is no frame of Jelmore's."""
    try:
        body = json.loads(text)
        if body["event_type"] == _READY:
            return Ready(body["seq"])
        return read_event(body, text) if body["event_type"].startswith("session.") else None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no event: {error}") from error


def read_event(body: Json, text: str | None = None) -> Event:
    """`text`: as it came, where that is known. Raises KeyError for what is no event."""
    kind = body["event_type"]
    return CLASSES.get(kind, Event)(
        seq=body.get("seq", 0),
        id=body["id"],
        event_type=kind,
        session_id=body["session_id"],
        timestamp=body["timestamp"],
        payload=body["payload"],
        encoding=body.get("encoding"),
        text=json.dumps(body, separators=(",", ":")) if text is None else text,
    )
