"""The rows that the log is mirrored into, as the fold makes them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class EventRow(NamedTuple):
    """Of table `events`, in its order of columns."""

    session_id: str
    seq: int
    id: str
    event_type: str
    timestamp: str
    encoding: str | None
    payload: str


class CommandRow(NamedTuple):
    session_id: str
    seq: int
    id: str
    kind: str
    timestamp: str
    payload: str


class BlobRow(NamedTuple):
    session_id: str
    name: str
    chunk: int
    seq: int
    data: bytes


class DeadLetter(NamedTuple):
    seq: int
    subject: str
    reason: str
    data: bytes


@dataclass(slots=True)
class SessionRow:
    """Of table `sessions`, with its names of columns."""

    session_id: str
    namespace: str
    name: str | None = None
    spec: str | None = None
    labels: str = "{}"
    state: str = "pending"
    waiting_for: str | None = None
    message: str | None = None
    created_at: datetime | None = None
    last_activity: datetime | None = None
    terminated_at: datetime | None = None
    terminated_reason: str | None = None
    current_directory: str | None = None
    run: int = 0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0
    git_branch: str | None = None
    git_commit: str | None = None
    claude_session_id: str | None = None
    quota_resets_at: str | None = None
    report: str | None = None
    report_seq: int = 0
    last_seq: int = 0
    output_count: int = 0


class QueuedInput(NamedTuple):
    """An input's command: a row where there is none yet, and the content where it is not known yet."""

    session_id: str
    input_id: str
    content: str
    seq: int


class InputStateRow(NamedTuple):
    session_id: str
    input_id: str
    state: str
    reason: str | None
    seq: int


class Request(NamedTuple):
    """An approval that is open (again)."""

    session_id: str
    approval_id: str
    request: str
    kind: str
    requested_seq: int
    requested_at: str


class Resolution(NamedTuple):
    session_id: str
    approval_id: str
    decision: str
    decided_by: str
    decision_message: str | None
    resolved_at: str


@dataclass(slots=True)
class Changes:
    """What a batch of messages changes. Lists are in the order of the log and to be applied in it."""

    events: list[EventRow] = field(default_factory=list)
    commands: list[CommandRow] = field(default_factory=list)
    blobs: list[BlobRow] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    queued: list[QueuedInput] = field(default_factory=list)
    input_states: dict[tuple[str, str], InputStateRow] = field(default_factory=dict)
    approvals: list[Request | Resolution] = field(default_factory=list)
    #: Sessions that ended, and when: nobody can answer their approvals any more.
    ended: dict[str, str] = field(default_factory=dict)
