"""The fold: stored messages -> changes of rows. Pure; it never fails, whatever stands on the log's subjects.

What is no message of the log becomes a dead letter. What is one, but with a payload that its type does not have, is
kept as an event and changes nothing else.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from jelmore_api.persister.rows import (
    BlobRow,
    Changes,
    CommandRow,
    DeadLetter,
    EventRow,
    InputStateRow,
    QueuedInput,
    Request,
    Resolution,
    SessionRow,
)
from jelmore_api.stream.consumer import Entry
from jelmore_api.stream.frames import read_event, read_subject
from jelmore_contract.commands import InputCommand, decode_command
from jelmore_contract.events import Encoding, Envelope, EventType
from jelmore_contract.report import Report
from jelmore_contract.states import Decider, Decision, InputState, SessionState
from jelmore_contract.subjects import Subject, blob_subject

#: Payloads that were too large for their event, by (session_id, blob name).
type Blobs = Mapping[tuple[str, str], bytes]

_LONGEST_ID = 256  # characters


def fold(sessions: Mapping[str, SessionRow], entries: Iterable[Entry], blobs: Blobs) -> Changes:
    """`sessions`: the rows as they are of all sessions that are named in the entries; they are not changed in place."""
    changes = Changes()
    known = _Known(sessions, changes)
    for entry in entries:
        try:
            subject = read_subject(entry.subject)
            _FOLDS.get(subject.category, _fold_unknown)(changes, known, subject, entry, blobs)
        except ValueError as error:
            changes.dead_letters.append(DeadLetter(entry.seq, _plain(entry.subject), _plain(str(error)), entry.data))
    return changes


def session_ids(entries: Iterable[Entry]) -> set[str]:
    """The sessions whose rows `fold` needs."""
    found = set()
    for entry in entries:
        try:
            found.add(read_subject(entry.subject).key.session_id)
        except ValueError:
            continue
    return found


def blobs_needed(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    """The blobs that `fold` needs: payloads of events other than output, which projections look into."""
    needed = set()
    for entry in entries:
        if b'"encoding":"blob"' not in entry.data[:512] or entry.subject.endswith(EventType.OUTPUT):
            continue
        try:
            subject = read_subject(entry.subject)
            name = _values(read_event(subject, entry.data).payload).get("blob")
        except ValueError:
            continue
        if isinstance(name, str):
            needed.add((subject.key.session_id, name))
    return needed


class _Known:
    """The sessions' rows while the fold goes on: copied when first changed."""

    def __init__(self, sessions: Mapping[str, SessionRow], changes: Changes) -> None:
        self._sessions = sessions
        self._changes = changes

    def find(self, subject: Subject) -> SessionRow | None:
        """Raises ValueError where another namespace has a session of that id."""
        namespace, session_id = subject.key
        row = self._changes.sessions.get(session_id)
        if row is None:
            if session_id not in self._sessions:
                return None
            row = self._changes.sessions[session_id] = copy(self._sessions[session_id])
        if row.namespace != namespace:
            raise ValueError(f"session {session_id} belongs to namespace {row.namespace!r}")
        return row

    def add(self, subject: Subject) -> SessionRow:
        row = SessionRow(subject.key.session_id, subject.key.namespace)
        self._changes.sessions[row.session_id] = row
        return row


def _fold_event(changes: Changes, known: _Known, subject: Subject, entry: Entry, blobs: Blobs) -> None:
    event = read_event(subject, entry.data)
    session = known.find(subject) or known.add(subject)
    session_id = session.session_id
    changes.events.append(
        EventRow(
            session_id, entry.seq, event.id, event.event_type, event.timestamp, event.encoding, event.payload.decode()
        )
    )
    session.last_seq = entry.seq
    if (moment := _moment(event.timestamp)) is not None:
        session.last_activity = moment
    if event.event_type == EventType.OUTPUT:
        session.output_count += 1
        return
    payload = _whole_payload(event, blobs)
    if payload is None:
        return
    values = _values(payload)
    if (project := _PROJECTIONS.get(event.event_type)) is not None:
        project(session, values, event)
    if event.event_type == EventType.INPUT:
        _fold_input(changes, session_id, values, entry.seq)
    elif event.event_type == EventType.APPROVAL_REQUESTED:
        _fold_request(changes, session_id, values, event.timestamp, payload, entry.seq)
    elif event.event_type == EventType.APPROVAL_RESOLVED:
        _fold_resolution(changes, session_id, values, event.timestamp)
    elif event.event_type == EventType.TERMINATED:
        changes.ended[session_id] = event.timestamp


def _created(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    session.name = _text(values, "name") or session.name
    session.created_at = session.created_at or _moment(event.timestamp)
    if isinstance(values.get("spec"), dict):
        session.spec = json.dumps(values["spec"], separators=(",", ":"))


def _state_changed(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    state = _word(values, "to", SessionState)
    if state is None:
        return
    session.state = state
    session.waiting_for = _text(values, "waiting_for")
    session.message = _text(values, "message")
    session.run = _count(values, "run", session.run)
    if state == SessionState.TERMINATED:
        session.terminated_at = session.terminated_at or _moment(event.timestamp)


def _directory_changed(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.current_directory = _text(values, "to") or session.current_directory


def _turn_completed(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.turns = _count(values, "turn", session.turns)
    cost = values.get("cost_usd")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e12:
        session.cost_usd = float(cost)


def _quota(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.quota_resets_at = _text(values, "resets_at")


def _terminated(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    session.state = SessionState.TERMINATED
    session.waiting_for = None
    session.terminated_at = session.terminated_at or _moment(event.timestamp)
    session.terminated_reason = _text(values, "reason")


_PROJECTIONS: dict[str, Callable[[SessionRow, dict[str, Any], Envelope], None]] = {
    EventType.CREATED: _created,
    EventType.STATE_CHANGED: _state_changed,
    EventType.DIRECTORY_CHANGED: _directory_changed,
    EventType.TURN_COMPLETED: _turn_completed,
    EventType.QUOTA: _quota,
    EventType.TERMINATED: _terminated,
}


def _fold_input(changes: Changes, session_id: str, values: dict[str, Any], seq: int) -> None:
    input_id, state = _name(values, "input_id"), _word(values, "state", InputState)
    if input_id and state:
        reason = _text(values, "reason")
        changes.input_states[session_id, input_id] = InputStateRow(session_id, input_id, state, reason, seq)


def _fold_request(
    changes: Changes, session_id: str, values: dict[str, Any], timestamp: str, payload: bytes, seq: int
) -> None:
    approval_id = _name(values, "approval_id")
    if approval_id:
        kind = _text(values, "kind") or "approval"
        changes.approvals.append(Request(session_id, approval_id, payload.decode(), kind, seq, timestamp))


def _fold_resolution(changes: Changes, session_id: str, values: dict[str, Any], timestamp: str) -> None:
    approval_id, decision = _name(values, "approval_id"), _word(values, "decision", Decision)
    if approval_id and decision:
        by = _text(values, "by") or Decider.CLAUDE
        message = _text(values, "message")
        changes.approvals.append(Resolution(session_id, approval_id, decision, by, message, timestamp))


def _fold_command(changes: Changes, known: _Known, subject: Subject, entry: Entry, _: Blobs) -> None:
    envelope, command = decode_command(subject.rest, entry.data)
    session_id = subject.key.session_id
    if envelope.session_id != session_id:
        raise ValueError(f"session_id {envelope.session_id!r} came on the subject of {session_id!r}")
    known.find(subject)
    payload = bytes(envelope.payload).decode()
    changes.commands.append(
        CommandRow(session_id, entry.seq, _plain(envelope.id), envelope.kind, _plain(envelope.timestamp), payload)
    )
    if isinstance(command, InputCommand):
        content = msgspec.json.decode(envelope.payload, type=dict[str, msgspec.Raw])["content"]
        changes.queued.append(QueuedInput(session_id, command.input_id, bytes(content).decode(), entry.seq))


def _fold_blob(changes: Changes, _: _Known, subject: Subject, entry: Entry, __: Blobs) -> None:
    name, _dot, chunk = subject.rest.partition(".")
    if not chunk.isascii() or not chunk.isdecimal() or len(chunk) > 6:
        raise ValueError(f"not a blob's chunk: {subject.rest!r}")
    blob_subject(subject.key, name, int(chunk))
    changes.blobs.append(BlobRow(subject.key.session_id, name, int(chunk), entry.seq, entry.data))


def _fold_report(_: Changes, known: _Known, subject: Subject, entry: Entry, __: Blobs) -> None:
    report = _report(entry.data)
    session = known.find(subject)
    if session is None:
        raise ValueError("a report of a session that the log does not know")
    session.report, session.report_seq = entry.data.decode(), entry.seq
    session.run = report.run
    session.cost_usd, session.turns = report.usage.cost_usd, report.usage.turns
    session.input_tokens = report.usage.input_tokens
    session.output_tokens = report.usage.output_tokens
    session.claude_session_id = _clean(report.claude_session_id)
    session.current_directory = _clean(report.current_directory) or session.current_directory
    session.quota_resets_at = _clean(report.quota_resets_at)
    session.git_branch = _clean(report.git.branch) if report.git else None
    session.git_commit = _clean(report.git.commit) if report.git else None


def _fold_unknown(_: Changes, __: _Known, subject: Subject, ___: Entry, ____: Blobs) -> None:
    raise ValueError(f"not a subject of the log: {subject.category!r}")


_FOLDS = {"event": _fold_event, "command": _fold_command, "blob": _fold_blob, "agent": _fold_report}


def _report(body: bytes) -> Report:
    try:
        report = msgspec.json.decode(body, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a report: {error}") from error
    usage = report.usage
    if not all(0 <= count < 2**31 for count in (report.run, usage.turns)):
        raise ValueError("not a report: a count is out of range")
    if not all(0 <= count < 2**63 for count in (usage.input_tokens, usage.output_tokens)):
        raise ValueError("not a report: a count is out of range")
    return report


def _whole_payload(event: Envelope, blobs: Blobs) -> bytes | None:
    if event.encoding is None:
        return event.payload
    if event.encoding == Encoding.BLOB:
        return blobs.get((event.session_id, str(_values(event.payload).get("blob"))))
    return None


def _values(payload: bytes) -> dict[str, Any]:
    """The payload's fields; {} for what has none. Lone surrogates are taken."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return _clean(value) if isinstance(value, str) else None


def _name(values: Mapping[str, Any], name: str) -> str | None:
    """As `_text`, short enough for an index."""
    value = _text(values, name)
    return value if value is not None and len(value) <= _LONGEST_ID else None


def _word(values: Mapping[str, Any], name: str, words: type[StrEnum]) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value in set(words) else None


def _clean(value: str | None) -> str | None:
    return None if value is None else _plain(value)


def _plain(value: str) -> str:
    """What a text column takes: no NUL, no lone surrogates."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _count(values: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else otherwise


def _moment(timestamp: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
