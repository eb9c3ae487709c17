"""The fold over real recordings of the CLI, and over what no recording holds."""

from collections.abc import Iterable

import msgspec
import pytest

from jelmore_agent import facts
from jelmore_agent.fold import Emitted, Fold
from jelmore_agent.protocol import user_message
from jelmore_agent.spool import FactRecord, LineRecord, Record
from jelmore_contract.agent_config import Live
from jelmore_contract.report import Cursor
from jelmore_contract.states import Phase, SessionState
from tests.support.frames import recorded_lines, recordings, sent_frames

SESSION = "550e8400-e29b-41d4-a716-446655440000"
TIME = "2025-08-06T12:00:00.000Z"


def started(run: int = 1) -> FactRecord:
    return FactRecord(run, 0, 10, facts.RunStarted(TIME, run, None, "/home/user/project"))


def records(name: str) -> Iterable[Record]:
    """One recorded run, with the inputs that were sent in it."""
    yield started()
    place = 10
    for frame in sent_frames(name):
        if frame["type"] == "user" and "uuid" in frame:
            place += 1
            payload = {"input_id": frame["uuid"], "content": "x"}
            yield FactRecord(1, 0, place, facts.CommandTaken(TIME, place, "input", payload))
    end = 0
    for line in recorded_lines(name):
        end += len(line) + 1
        yield LineRecord(1, end, line)


def told(name: str) -> tuple[Fold, list[tuple[str, dict[str, object]]]]:
    """The fold after a recording, and its events but for the output: type without `session.` and payload."""
    fold, events = Fold(SESSION), []
    for record in records(name):
        for event in fold.apply(record).events:
            if event.event_type != "session.output":
                events.append((event.event_type.removeprefix("session."), _json(event.payload)))
    return fold, events


def _json(payload: bytes) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(payload)
    return decoded


def states(name: str) -> list[object]:
    return [payload["to"] for kind, payload in told(name)[1] if kind == "state_changed"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("simple", ["active", "idle"] * 2),
        ("subagent", ["active", "idle"]),
        ("approval_allowed", ["active", "waiting_input", "active", "idle"]),
        ("question", ["active", "waiting_input", "active", "idle"]),
        ("plan", ["active", "waiting_input", "active", "idle"]),
        ("interrupt", ["active", "idle"] * 3),
        ("api_error", ["active", "idle"] * 4),
        ("background_bash", ["active", "idle"] * 2),
    ],
)
def test_states_are_the_cli_s_own(name: str, expected: list[str]) -> None:
    assert states(name) == expected


@pytest.mark.parametrize(
    ("name", "kind"), [("approval_allowed", "approval"), ("question", "question"), ("plan", "plan")]
)
def test_what_is_waited_for(name: str, kind: str) -> None:
    _, events = told(name)
    waiting = [payload["waiting_for"] for _, payload in events if "waiting_for" in payload]
    asked = [payload["kind"] for event, payload in events if event == "approval_requested"]
    assert waiting == asked == [kind]


def test_a_subagent_s_second_result_is_another_completed_turn() -> None:
    fold, events = told("subagent")
    assert [payload["turn"] for kind, payload in events if kind == "turn_completed"] == [1, 2]
    assert fold.usage.turns == 2
    assert fold.usage.cost_usd > 0


def test_inputs_go_forward_only_and_fail_with_their_turn() -> None:
    _, events = told("queued_input")
    by_input: dict[object, list[object]] = {}
    for kind, payload in events:
        if kind == "input":
            by_input.setdefault(payload["input_id"], []).append(payload["state"])
    assert set(map(tuple, by_input.values())) == {("queued", "delivered", "started", "completed")}
    _, events = told("api_error")
    ends = [
        payload["state"] for kind, payload in events if kind == "input" and payload["state"] in ("completed", "failed")
    ]
    assert ends == ["failed", "completed", "failed", "completed"]


def test_directories_come_from_the_cli_s_frames() -> None:
    _, events = told("bash_cd")
    moved = [str(payload["to"]).removeprefix("/home/user/") for kind, payload in events if kind == "directory_changed"]
    assert moved == ["project", "project/sub", "project/sub/deeper", "project"]


@pytest.mark.parametrize("name", recordings())
def test_the_same_records_give_the_same_events_with_ids_that_grow(name: str) -> None:
    def run() -> list[Emitted]:
        fold = Fold(SESSION)
        return [fold.apply(record) for record in records(name)]

    emitted = run()
    assert emitted == run()
    cursors = [event.cursor for each in emitted for event in each.events]
    assert cursors == sorted(set(cursors))
    ids = [event.cursor.event_id(SESSION, event.event_type) for each in emitted for event in each.events]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", recordings())
def test_every_line_but_partial_messages_is_an_output_event_with_its_own_bytes(name: str) -> None:
    fold = Fold(SESSION)
    outputs = [e.payload for r in records(name) for e in fold.apply(r).events if e.event_type == "session.output"]
    assert outputs == [line for line in recorded_lines(name) if not line.startswith(b'{"type":"stream_event"')]


def apply(fold: Fold, *things: facts.Fact | bytes) -> list[tuple[str, dict[str, object]]]:
    """Facts and lines, one after the other; what they lead to."""
    events, end = [], fold.offset
    for number, thing in enumerate(things):
        if isinstance(thing, bytes):
            end += len(thing) + 1
            emitted = fold.apply(LineRecord(1, end, thing))
        else:
            emitted = fold.apply(FactRecord(1, end, 100 + number, thing))
        events += [(e.event_type.removeprefix("session."), _json(e.payload)) for e in emitted.events]
    return [event for event in events if event[0] != "output"]


def state_line(state: str) -> bytes:
    return b'{"type":"system","subtype":"session_state_changed","state":"%s"}' % state.encode()


INIT = b'{"type":"control_response","response":{"subtype":"success","request_id":"jelmore-initialize-1","response":{}}}'
ASK = b'{"type":"control_request","request_id":"r1","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{}}}'


def waiting() -> Fold:
    fold = Fold(SESSION)
    apply(fold, facts.RunStarted(TIME, 1), INIT, state_line("running"), state_line("requires_action"), ASK)
    assert fold.state is SessionState.WAITING_INPUT
    return fold


def test_a_cli_that_is_lost_in_a_turn() -> None:
    fold = waiting()
    events = apply(fold, facts.RunExited(TIME, signal=9))
    assert [kind for kind, _ in events] == ["approval_resolved", "error", "state_changed"]
    assert events[0][1]["decision"] == "cancelled"
    assert events[1][1]["reason"] == "interrupted"
    assert (fold.state, fold.alive, fold.failures) == (SessionState.PENDING, False, 1)


def test_an_end_that_was_asked_for_is_told_by_who_asked() -> None:
    fold = Fold(SESSION)
    apply(fold, facts.RunStarted(TIME, 1), INIT)
    assert apply(fold, facts.RunExited(TIME, code=0, asked=True), facts.Ended(TIME)) == []
    assert (fold.state, fold.phase, fold.failures) == (SessionState.HIBERNATED, Phase.ENDED, 0)
    assert fold.report(Cursor(1, 0, 1, 9, 0)).drained


@pytest.mark.parametrize("written_first", [True, False])
def test_an_input_s_states_are_the_same_whoever_speaks_first(written_first: bool) -> None:
    """The launcher, which has written it, or the CLI, which has begun with it."""
    fold = Fold(SESSION)
    lifecycle = b'{"type":"command_lifecycle","command_uuid":"i1","state":"started"}'
    both: list[facts.Written | bytes] = [lifecycle, facts.Written(TIME, "i1")]
    if written_first:
        both.reverse()
    events = apply(fold, facts.RunStarted(TIME, 1), facts.QueryTaken(TIME, "i1", "x"), INIT, *both)
    assert [told["state"] for kind, told in events if kind == "input"] == ["queued", "delivered", "started"]
    assert fold.inputs.to_write() == []


def lifecycle_line(state: str) -> bytes:
    return b'{"type":"command_lifecycle","command_uuid":"i1","state":"%s"}' % state.encode()


RESULT = b'{"type":"result","subtype":"success","is_error":false,"result":"r","total_cost_usd":0}'
FAILED = b'{"type":"result","subtype":"error_during_execution","is_error":true,"result":"r","total_cost_usd":0}'
ABORTED = FAILED.replace(b"}", b',"terminal_reason":"aborted_streaming"}')
READY = b'{"type":"control_response","response":{"subtype":"success","request_id":"jelmore-initialize-2"}}'


def cut_in_a_turn() -> Fold:
    """A session whose first run ended in the turn of `i1`, in the second one, that was given `i1` again."""
    fold = Fold(SESSION)
    turn = (INIT, state_line("running"), lifecycle_line("started"))
    apply(fold, facts.RunStarted(TIME, 1), facts.QueryTaken(TIME, "i1", "x"), *turn)
    apply(fold, facts.RunExited(TIME, lost=True), facts.RunStarted(TIME, 2, resume=SESSION))
    return fold


@pytest.mark.parametrize(("result", "end"), [(RESULT, "completed"), (FAILED, "failed")])
def test_a_cut_turn_s_input_has_its_end_with_the_result_of_what_goes_on(result: bytes, end: str) -> None:
    """Not when the CLI says of it, given again, that it is completed: it only knows it."""
    fold = cut_in_a_turn()
    events = apply(fold, state_line("running"), READY, facts.Written(TIME, "i1"), lifecycle_line("completed"))
    assert [told for kind, told in events if kind == "input"] == []
    assert (fold.going_on, fold.inputs.open) == (None, 1)
    told = [told["state"] for kind, told in apply(fold, result) if kind == "input"]
    assert (told, fold.inputs.open) == ([end], 0)


def test_a_cut_turn_with_which_the_cli_does_not_go_on_is_asked_for() -> None:
    fold = cut_in_a_turn()
    apply(fold, READY, facts.Written(TIME, "i1"), lifecycle_line("completed"))
    assert (fold.going_on is not None, fold.inputs.open) == (True, 1)
    asked = fold.going_on
    apply(fold, state_line("running"), facts.RunExited(TIME, lost=True), facts.RunStarted(TIME, 3, resume=SESSION))
    assert (fold.going_on, fold.inputs.to_write()) == (None, [("i1", "x")])
    apply(fold, READY, facts.Written(TIME, "i1"), lifecycle_line("completed"))
    assert fold.going_on not in (None, asked)
    told = [told["state"] for kind, told in apply(fold, state_line("running"), RESULT) if kind == "input"]
    assert told == ["completed"]
    assert fold.inputs.open == 0


def test_an_input_that_the_cli_begins_anew_ends_as_any_other() -> None:
    fold = cut_in_a_turn()
    events = apply(fold, READY, state_line("running"), lifecycle_line("started"), RESULT, lifecycle_line("completed"))
    assert [told["state"] for kind, told in events if kind == "input"] == ["completed"]


def test_what_goes_on_is_interrupted() -> None:
    fold = cut_in_a_turn()
    events = apply(fold, READY, state_line("running"), lifecycle_line("completed"), ABORTED)
    assert [told["state"] for kind, told in events if kind == "input"] == ["cancelled"]
    assert (fold.inputs.open, fold.cut) == (0, set())


def test_a_cut_turn_s_input_that_is_cancelled_holds_nothing_up() -> None:
    fold = cut_in_a_turn()
    events = apply(fold, READY, lifecycle_line("cancelled"))
    assert [told["state"] for kind, told in events if kind == "input"] == ["cancelled"]
    assert fold.cut == set()


def test_an_input_whose_result_was_told_is_not_gone_on_with() -> None:
    fold = Fold(SESSION)
    turn = (INIT, state_line("running"), lifecycle_line("started"), RESULT)
    apply(fold, facts.RunStarted(TIME, 1), facts.QueryTaken(TIME, "i1", "x"), *turn)
    apply(fold, facts.RunExited(TIME, lost=True), facts.RunStarted(TIME, 2, resume=SESSION), READY)
    events = apply(fold, facts.Written(TIME, "i1"), lifecycle_line("completed"))
    assert [told["state"] for kind, told in events if kind == "input"] == ["completed"]
    assert fold.going_on is None


def test_an_abandoned_turn_s_input_has_failed() -> None:
    fold = Fold(SESSION)
    lifecycle = b'{"type":"command_lifecycle","command_uuid":"i1","state":"started"}'
    apply(fold, facts.RunStarted(TIME, 1), facts.QueryTaken(TIME, "i1", "x"), INIT, state_line("running"), lifecycle)
    events = apply(fold, facts.RunExited(TIME, signal=9, abandoned=True))
    assert ("input", {"input_id": "i1", "state": "failed", "reason": "interrupted"}) in events
    assert fold.inputs.open == 0


def test_an_answer_counts_once() -> None:
    fold = waiting()
    yes = {"approval_id": "r1", "decision": "allow"}
    assert [kind for kind, _ in apply(fold, facts.CommandTaken(TIME, 1, "answer", yes))] == ["approval_resolved"]
    other = {**yes, "approval_id": "r2"}
    late = apply(fold, facts.CommandTaken(TIME, 2, "answer", yes), facts.CommandTaken(TIME, 3, "answer", other))
    assert [(kind, payload["reason"]) for kind, payload in late] == [("error", "command_refused")] * 2


LIVE = Live(
    model=None,
    permission_mode="plan",
    approval_timeout=60,
    turn_timeout=None,
    on_interrupted="wait",
    budget_usd=None,
)


def test_what_the_cli_must_know_of_a_change_is_told_to_the_one_that_runs() -> None:
    fold = Fold(SESSION)
    apply(fold, facts.ConfigTaken(TIME, LIVE), facts.RunStarted(TIME, 1), INIT)
    assert fold.requests == {}
    payload = {"model": "opus", "approval_timeout": 5}
    apply(fold, facts.CommandTaken(TIME, 3, "configure", payload))
    assert fold.requests == {"jelmore-configure-3-model": {"subtype": "set_model", "model": "opus"}}
    apply(fold, facts.CommandTaken(TIME, 4, "configure", {"model": None, "permission_mode": "default"}))
    assert list(fold.requests.values())[1:] == [
        {"subtype": "set_model", "model": None},
        {"subtype": "set_permission_mode", "mode": "default"},
    ]
    assert fold.live == msgspec.structs.replace(LIVE, approval_timeout=5, permission_mode="default")
    assert fold.filed == LIVE  # the file of the next agent counts only if it says something else


RESETS = [
    ("rejected", 1_754_481_600, "2025-08-06T12:00:00.000Z", "2025-08-06T12:00:00.000Z"),
    ("allowed", 1_754_481_600, None, "2025-08-06T12:00:00.000Z"),
    ("rejected", "2025-08-06T14:00:00+02:00", "2025-08-06T12:00:00.000Z", "2025-08-06T12:00:00.000Z"),
    ("rejected", "soon", None, None),
    ("rejected", 1e300, None, None),
    ("rejected", None, None, None),
]


@pytest.mark.parametrize(("status", "resets_at", "blocked_until", "told"), RESETS)
def test_the_account_s_quota(status: str, resets_at: object, blocked_until: str | None, told: str | None) -> None:
    fold = Fold(SESSION)
    info = {"status": status, "resetsAt": resets_at}
    line = msgspec.json.encode({"type": "rate_limit_event", "rate_limit_info": info})
    assert apply(fold, facts.RunStarted(TIME, 1), line)[-1] == ("quota", {"status": status, "resets_at": told})
    assert fold.quota_resets_at == blocked_until


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'{"type":["system"]}',
        b'{"type":"system","subtype":{"a":1}}',
        b'{"type":"system","subtype":"session_state_changed","state":["idle"]}',
        b'{"type":"system","subtype":"background_tasks_changed","tasks":7}',
        b'{"type":"control_request","request_id":5,"request":[]}',
        b'{"type":"control_request","request_id":"x","request":{"subtype":"can_use_tool","tool_name":5,"input":[]}}',
        b'{"type":"control_response","response":"no"}',
        b'{"type":"result","usage":[],"total_cost_usd":"much","user_message_uuids":{"a":1},"result":[],"is_error":"yes"}',
        b'{"type":"rate_limit_event","rate_limit_info":[]}',
        b'{"type":"command_lifecycle","state":null,"command_uuid":{}}',
        b'{"type":"system","subtype":"init","cwd":5}',
        b'\xff{"type":"result"}',
    ],
)
def test_a_frame_of_another_shape_is_kept_and_does_no_harm(line: bytes) -> None:
    fold = Fold(SESSION)
    fold.apply(started())
    assert fold.apply(LineRecord(1, 100, line)).events[0].event_type == "session.output"


def test_a_prompt_is_sent_under_its_input_s_id() -> None:
    assert _json(user_message("i1", "hi")) == {
        "type": "user",
        "uuid": "i1",
        "message": {"role": "user", "content": "hi"},
    }


def test_what_a_session_took_is_the_sum_over_its_runs() -> None:
    def result(since: float, total: float) -> bytes:
        usage = {"claude-x": {"costUSD": since / 2}, "claude-y": {"costUSD": since / 2}}
        frame = {"type": "result", "total_cost_usd": total, "model_usage_since_last_result": usage}
        return msgspec.json.encode(frame)

    fold = Fold(SESSION)
    apply(fold, facts.RunStarted(TIME, 1), INIT, result(1.0, 1.0), result(0.5, 1.5), facts.RunExited(TIME, signal=9))
    # Killed, it has saved nothing: the next one counts from what was saved before, here from 1.
    told = apply(fold, facts.RunStarted(TIME, 2), result(0.75, 1.75))
    assert fold.usage.cost_usd == 2.25
    assert [payload["cost_usd"] for kind, payload in told if kind == "turn_completed"] == [2.25]
