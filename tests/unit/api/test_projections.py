"""The fold from stored messages to rows, as a table: what is on the bus, what becomes of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore_api.persister.projections import blobs_needed, fold, session_ids
from jelmore_api.persister.rows import InputStateRow, QueuedInput, Request, Resolution, SessionRow
from jelmore_api.stream.consumer import Entry
from jelmore_contract.commands import InputCommand, InterruptCommand, encode_command
from jelmore_contract.events import Encoding, EventType, encode_event, encode_json
from jelmore_contract.report import Cursor, Git, Report, Usage
from jelmore_contract.states import Phase, SessionState
from jelmore_contract.subjects import (
    SessionKey,
    blob_subject,
    command_subject,
    event_subject,
    report_subject,
)

KEY = SessionKey("default", "550e8400-e29b-41d4-a716-446655440000")
ID = KEY.session_id
AT = "2025-08-06T12:00:00.000Z"
MOMENT = datetime(2025, 8, 6, 12, tzinfo=UTC)
INPUT_ID = "123e4567-e89b-42d3-a456-426614174000"


def event(event_type: str, seq: int = 7, **payload: Any) -> Entry:
    body = encode_event("an-id", event_type, ID, AT, encode_json(payload))
    return Entry(seq, event_subject(KEY, event_type), body, 0)


def one_session(*entries: Entry, before: SessionRow | None = None) -> dict[str, Any]:
    """The columns of the session's row that differ from a new one's."""
    changes = fold({ID: before} if before else {}, entries, {})
    assert changes.dead_letters == []
    new = SessionRow(ID, KEY.namespace)
    row = changes.sessions[ID]
    return {name: getattr(row, name) for name in SessionRow.__slots__ if getattr(row, name) != getattr(new, name)}


SEEN = {"last_seq": 7, "last_activity": MOMENT}
STATE = EventType.STATE_CHANGED


@pytest.mark.parametrize(
    ("entry", "columns"),
    [
        (
            event(EventType.CREATED, name="n", namespace="default", spec={"query": "q"}),
            {"name": "n", "spec": '{"query":"q"}', "created_at": MOMENT},
        ),
        (
            event(
                EventType.SPEC_CHANGED, generation=2, spec={"query": "q"}, labels={"a": "1", "b": 2, "c": "\0\ud800"}
            ),
            {"spec": '{"query":"q"}', "labels": '{"a":"1","c":"\\ufffd?"}'},
        ),
        (event(EventType.SPEC_CHANGED, generation=2, spec="q", labels=["a"]), {}),
        (event(STATE, to="active", run=2), {"state": "active", "run": 2}),
        (event(STATE, to="waiting_input", waiting_for="plan"), {"state": "waiting_input", "waiting_for": "plan"}),
        (event(STATE, to="failed", message="why"), {"state": "failed", "message": "why"}),
        (event(STATE, to="terminated"), {"state": "terminated", "terminated_at": MOMENT}),
        (event(STATE, to="nowhere", run=9), {}),
        (event(STATE, to=3), {}),
        (event(EventType.DIRECTORY_CHANGED, to="/a"), {"current_directory": "/a"}),
        (event(EventType.DIRECTORY_CHANGED, to="/a\0b"), {"current_directory": "/a\ufffdb"}),
        (event(EventType.TURN_COMPLETED, turn=3, cost_usd=0.25), {"turns": 3, "cost_usd": 0.25}),
        (event(EventType.TURN_COMPLETED, turn=-3, cost_usd=-1), {}),
        (event(EventType.TURN_COMPLETED, turn=True, cost_usd=True), {}),
        (event(EventType.TURN_COMPLETED, turn=2**31), {}),
        (event(EventType.QUOTA, status="rejected", resets_at="soon"), {"quota_resets_at": "soon"}),
        (event(EventType.QUOTA, status="allowed", resets_at="soon"), {}),
        (event(EventType.OUTPUT, type="system"), {"output_count": 1}),
        (event(EventType.FILE_MODIFIED, path="a"), {}),
        (
            event(EventType.TERMINATED, reason="deleted"),
            {"state": "terminated", "terminated_at": MOMENT, "terminated_reason": "deleted"},
        ),
        (event("session.of_tomorrow", to="idle"), {}),
    ],
)
def test_an_event_moves_the_session(entry: Entry, columns: dict[str, Any]) -> None:
    assert one_session(entry) == {**SEEN, **columns}


def test_a_new_state_forgets_what_the_last_one_waited_for() -> None:
    waiting = SessionRow(ID, "default", state="waiting_input", waiting_for="plan", message="m")
    assert one_session(event(STATE, to="active"), before=waiting) == {**SEEN, "state": "active"}
    assert waiting.waiting_for == "plan", "the rows given are not changed"


def test_an_event_is_kept_as_it_came() -> None:
    payload = rb'{"a" : "\u0000\ud83d"}'
    body = encode_event("an-id", "session.output", ID, AT, payload)
    changes = fold({}, [Entry(7, event_subject(KEY, "session.output"), body, 0)], {})
    assert changes.events == [(ID, 7, "an-id", "session.output", AT, None, payload.decode())]


def test_the_report_is_what_the_session_shows() -> None:
    report = Report(
        Cursor(1, 2, 0, 0, 0),
        4,
        Phase.READY,
        SessionState.IDLE,
        claude_session_id="c",
        current_directory="/w",
        usage=Usage(0.5, 10, 20, 3),
        git=Git("main", "abc"),
        quota_resets_at="soon",
    )
    body = encode_json(report)
    before = SessionRow(ID, "default", state="active")
    assert one_session(Entry(8, report_subject(KEY), body, 0), before=before) == {
        "state": "active",
        "report": body.decode(),
        "report_seq": 8,
        "run": 4,
        "claude_session_id": "c",
        "current_directory": "/w",
        "cost_usd": 0.5,
        "input_tokens": 10,
        "output_tokens": 20,
        "turns": 3,
        "git_branch": "main",
        "git_commit": "abc",
        "quota_resets_at": "soon",
    }


def command(kind: str, body: bytes, seq: int = 5) -> Entry:
    return Entry(seq, command_subject(KEY, kind), body, 0)


def test_an_input_is_queued_by_its_command_and_moved_by_its_events() -> None:
    body = encode_command(InputCommand(INPUT_ID, [{"type": "text", "text": "é\0"}]), "c", ID, AT)
    states = [
        event(EventType.INPUT, seq, input_id=INPUT_ID, state=state) for seq, state in ((6, "delivered"), (8, "failed"))
    ]
    unknown = event(EventType.INPUT, 9, input_id=INPUT_ID, state="lost")
    changes = fold({}, [command("input", body), *states, unknown, command("input", body, 10)], {})
    content = '[{"type":"text","text":"é\\u0000"}]'
    assert changes.queued == [QueuedInput(ID, INPUT_ID, content, 5), QueuedInput(ID, INPUT_ID, content, 10)]
    assert list(changes.input_states.values()) == [InputStateRow(ID, INPUT_ID, "failed", None, 8)]
    assert [row.seq for row in changes.commands] == [5, 10]


def test_approvals_open_and_close_in_order() -> None:
    asked = {"approval_id": "a", "kind": "question", "tool_name": "AskUserQuestion", "input": {}}
    entries = [
        event(EventType.APPROVAL_REQUESTED, 1, **asked),
        event(EventType.APPROVAL_RESOLVED, 2, approval_id="a", decision="deny", by="timeout"),
        event(EventType.APPROVAL_RESOLVED, 3, approval_id="a", decision="maybe", by="user"),
        event(EventType.APPROVAL_REQUESTED, 4, kind="plan"),
        event(EventType.TERMINATED, 5, reason="deleted"),
    ]
    changes = fold({}, entries, {})
    assert changes.approvals == [
        Request(ID, "a", encode_json(asked).decode(), "question", 1, AT),
        Resolution(ID, "a", "deny", "timeout", None, AT),
    ]
    assert changes.ended == {ID: AT}


def test_a_large_approval_is_read_from_its_blob() -> None:
    payload = encode_json({"blob": "1-0-5-0", "size": 70})
    subject = event_subject(KEY, EventType.APPROVAL_REQUESTED)
    entry = Entry(9, subject, encode_event("i", EventType.APPROVAL_REQUESTED, ID, AT, payload, Encoding.BLOB), 0)
    output = event_subject(KEY, EventType.OUTPUT)
    line = Entry(8, output, encode_event("i", EventType.OUTPUT, ID, AT, payload, Encoding.BLOB), 0)
    assert blobs_needed([line, entry]) == {(ID, "1-0-5-0")}
    content = b'{"approval_id":"a","kind":"approval"}'
    changes = fold({}, [entry], {(ID, "1-0-5-0"): content})
    assert changes.approvals == [Request(ID, "a", content.decode(), "approval", 9, AT)]
    assert changes.events[0].payload == payload.decode()


def test_blobs_are_kept_by_name_and_chunk() -> None:
    changes = fold({}, [Entry(3, blob_subject(KEY, "1-0-5-0", 12), b"\xff", 0)], {})
    assert changes.blobs == [(ID, "1-0-5-0", 12, 3, b"\xff")]


GOOD = event("session.output").data
OUTPUT = event_subject(KEY, "session.output")


@pytest.mark.parametrize(
    ("subject", "data", "reason"),
    [
        (OUTPUT, b"", "not an event"),
        (OUTPUT, b"\xff", "not an event"),
        (OUTPUT, b"[]", "not an event"),
        (OUTPUT, GOOD[:-2], "not an event"),
        (OUTPUT, GOOD.replace(b"{}", b"{"), "payload is not JSON"),
        (OUTPUT, GOOD.replace(b"{}", b'"\xff"'), "payload is not JSON"),
        (OUTPUT, GOOD.replace(b"{}", b'{},"more":1'), "payload is not JSON"),
        (OUTPUT, GOOD.replace(b"an-id", b"an\nid"), "plain text"),
        (OUTPUT, GOOD.replace(ID.encode(), INPUT_ID.encode()), "came on the subject of"),
        (OUTPUT, GOOD.replace(b'"payload"', b'"encoding":"zip","payload"'), "unknown encoding"),
        (event_subject(KEY, "session.error"), GOOD, "came on the subject of"),
        (OUTPUT.replace("default", "Default"), GOOD, "not a namespace name"),
        (OUTPUT.replace(ID, ID.upper()), GOOD, "not a canonical UUID"),
        (OUTPUT.replace(ID, "x"), GOOD, "badly formed"),
        (OUTPUT.replace("default", "other"), GOOD, "belongs to namespace"),
        ("jelmore.else.default.x", GOOD, "badly formed"),
        (f"jelmore.else.default.{ID}", GOOD, "not a subject of the log"),
        (f"jelmore.blob.default.{ID}", b"", "not a blob's chunk"),
        (f"jelmore.blob.default.{ID}.name", b"", "not a blob's chunk"),
        (f"jelmore.blob.default.{ID}.name.-1", b"", "not a blob's chunk"),
        (f"jelmore.blob.default.{ID}.{'n' * 129}.1", b"", "not a blob's name"),
        (command_subject(KEY, "input"), b"{}", "missing required field"),
        (command_subject(KEY, "dance"), encode_command(InterruptCommand(), "c", ID, AT), "came on the subject of"),
        (
            command_subject(KEY, "interrupt"),
            encode_command(InterruptCommand(), "c", INPUT_ID, AT),
            "came on the subject of",
        ),
        (report_subject(KEY), b"{}", "not a report"),
        (report_subject(KEY), encode_json(Report(Cursor(0, 0, 0, 0, 0), -1, Phase.READY, SessionState.IDLE)), "range"),
        (
            report_subject(SessionKey("default", INPUT_ID)),
            encode_json(Report(Cursor(0, 0, 0, 0, 0), 1, Phase.READY, SessionState.IDLE)),
            "does not know",
        ),
    ],
)
def test_noise_is_set_aside(subject: str, data: bytes, reason: str) -> None:
    changes = fold({ID: SessionRow(ID, "default")}, [Entry(4, subject, data, 0)], {})
    (letter,) = changes.dead_letters
    assert (letter.seq, letter.subject, letter.data) == (4, subject, data)
    assert reason in letter.reason
    assert (changes.events, changes.commands, changes.blobs) == ([], [], [])


TYPES = st.sampled_from([*EventType, "session.of_tomorrow"])
NAMES = st.sampled_from(
    [
        "to",
        "from",
        "run",
        "turn",
        "name",
        "spec",
        "state",
        "input_id",
        "approval_id",
        "decision",
        "kind",
        "cost_usd",
        "blob",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=8,
)


@given(TYPES, VALUES, st.sampled_from([None, *Encoding]), st.text(max_size=10))
def test_nothing_makes_the_fold_fail(event_type: str, payload: Any, encoding: Encoding | None, timestamp: str) -> None:
    body = encode_event("i", event_type, ID, timestamp, json.dumps(payload).encode(), encoding)
    entry = Entry(1, event_subject(KEY, event_type), body, 0)
    changes = fold({}, [entry], {})
    assert len(changes.events) + len(changes.dead_letters) == 1
    assert session_ids([entry]) == {ID}
    blobs_needed([entry])


@given(st.text(max_size=60), st.binary(max_size=60))
def test_no_message_makes_the_fold_fail(subject: str, data: bytes) -> None:
    entries = [Entry(1, subject, data, 0), Entry(2, f"jelmore.event.default.{ID}.{subject}", data, 0)]
    assert len(fold({}, entries, {}).dead_letters) == 2
    session_ids(entries)
    blobs_needed(entries)


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (AT, MOMENT),
        ("2025-08-06T14:00:00+02:00", MOMENT),
        ("2025-08-06T12:00:00", MOMENT),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("yesterday", None),
    ],
)
def test_only_times_of_our_age_are_taken(timestamp: str, moment: datetime | None) -> None:
    body = encode_event("i", "session.output", ID, timestamp, b"{}")
    changes = fold({}, [Entry(1, OUTPUT, body, 0)], {})
    assert changes.sessions[ID].last_activity == moment
    assert changes.events[0].timestamp == timestamp
