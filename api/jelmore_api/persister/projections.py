"""The fold: stored messages -> changes of rows. Pure; it never fails, whatever stands on the log's subjects.

What is no message of the log becomes a dead letter. What is one, but with a payload that its type does not have, is
kept as an event and changes nothing else.
"""

from collections.abc import Iterable, Mapping
from copy import copy
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
from jelmore_api.persister.session_projection import apply_event, apply_report, read_report
from jelmore_api.persister.values import fields, identifier, moment, plain, text, word
from jelmore_api.stream.consumer import Entry
from jelmore_api.stream.frames import read_event, read_subject
from jelmore_contract.commands import InputCommand, decode_command
from jelmore_contract.events import Encoding, Envelope, EventType
from jelmore_contract.states import Decider, Decision, InputState
from jelmore_contract.subjects import Subject, blob_subject

#: Payloads that were too large for their event, by (session_id, blob name).
type Blobs = Mapping[tuple[str, str], bytes]


def fold(sessions: Mapping[str, SessionRow], entries: Iterable[Entry], blobs: Blobs) -> Changes:
    """`sessions`: the rows as they are of all sessions that are named in the entries; they are not changed in place."""
    changes = Changes()
    known = _Known(sessions, changes)
    for entry in entries:
        try:
            subject = read_subject(entry.subject)
            _FOLDS.get(subject.category, _fold_unknown)(changes, known, subject, entry, blobs)
        except ValueError as error:
            changes.dead_letters.append(DeadLetter(entry.seq, plain(entry.subject), plain(str(error)), entry.data))
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
            name = fields(read_event(subject, entry.data).payload).get("blob")
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
    session.last_activity = moment(event.timestamp) or session.last_activity
    if event.event_type == EventType.OUTPUT:
        session.output_count += 1
        return
    payload = _whole_payload(event, blobs)
    if payload is None:
        return
    values = fields(payload)
    apply_event(session, event, values)
    if event.event_type == EventType.INPUT:
        _fold_input(changes, session_id, values, entry.seq)
    elif event.event_type == EventType.APPROVAL_REQUESTED:
        _fold_request(changes, session_id, values, event.timestamp, payload, entry.seq)
    elif event.event_type == EventType.APPROVAL_RESOLVED:
        _fold_resolution(changes, session_id, values, event.timestamp)
    elif event.event_type == EventType.TERMINATED:
        changes.ended[session_id] = event.timestamp


def _fold_input(changes: Changes, session_id: str, values: dict[str, Any], seq: int) -> None:
    input_id, state = identifier(values, "input_id"), word(values, "state", InputState)
    if input_id and state:
        reason = text(values, "reason")
        changes.input_states[session_id, input_id] = InputStateRow(session_id, input_id, state, reason, seq)


def _fold_request(
    changes: Changes, session_id: str, values: dict[str, Any], timestamp: str, payload: bytes, seq: int
) -> None:
    approval_id = identifier(values, "approval_id")
    if approval_id:
        kind = text(values, "kind") or "approval"
        changes.approvals.append(Request(session_id, approval_id, payload.decode(), kind, seq, timestamp))


def _fold_resolution(changes: Changes, session_id: str, values: dict[str, Any], timestamp: str) -> None:
    approval_id, decision = identifier(values, "approval_id"), word(values, "decision", Decision)
    if approval_id and decision:
        by = text(values, "by") or Decider.CLAUDE
        message = text(values, "message")
        changes.approvals.append(Resolution(session_id, approval_id, decision, by, message, timestamp))


def _fold_command(changes: Changes, known: _Known, subject: Subject, entry: Entry, _: Blobs) -> None:
    envelope, command = decode_command(subject.rest, entry.data)
    session_id = subject.key.session_id
    if envelope.session_id != session_id:
        raise ValueError(f"session_id {envelope.session_id!r} came on the subject of {session_id!r}")
    known.find(subject)
    payload = bytes(envelope.payload).decode()
    changes.commands.append(
        CommandRow(session_id, entry.seq, plain(envelope.id), envelope.kind, plain(envelope.timestamp), payload)
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
    report = read_report(entry.data)
    body = entry.data.decode()
    session = known.find(subject)
    if session is None:
        raise ValueError("a report of a session that the log does not know")
    session.report, session.report_seq = body, entry.seq
    apply_report(session, report)


def _fold_unknown(_: Changes, __: _Known, subject: Subject, ___: Entry, ____: Blobs) -> None:
    raise ValueError(f"not a subject of the log: {subject.category!r}")


_FOLDS = {"event": _fold_event, "command": _fold_command, "blob": _fold_blob, "agent": _fold_report}


def _whole_payload(event: Envelope, blobs: Blobs) -> bytes | None:
    if event.encoding is None:
        return event.payload
    if event.encoding == Encoding.BLOB:
        return blobs.get((event.session_id, str(fields(event.payload).get("blob"))))
    return None
