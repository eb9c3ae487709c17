import pytest

from jelmore.events import Event, read_event
from jelmore.turn import Turn
from tests.support.recorded_events import recorded_events

MINE, OTHER = "input-1", "input-0"
ENVELOPE = {"seq": 1, "id": "e", "session_id": "s", "timestamp": "2025-08-06T12:00:00.000Z"}


def event(kind: str, **payload: object) -> Event:
    return read_event({**ENVELOPE, "event_type": f"session.{kind}", "payload": payload})


def to(state: str, **more: object) -> Event:
    return event("state_changed", to=state, **more)


def input_is(state: str, input_id: str = MINE, **more: object) -> Event:
    return event("input", input_id=input_id, state=state, **more)


def done(result: str | None = "Fine.", is_error: bool = False, subtype: str = "success") -> Event:
    return event("turn_completed", result=result, is_error=is_error, subtype=subtype)


BEGIN = [input_is("queued"), input_is("delivered"), to("active"), input_is("started")]


def over_after(turn: Turn, events: list[Event]) -> int | None:
    """How many events it took."""
    for count, one in enumerate(events, 1):
        turn.take(one)
        if turn.over:
            return count
    return None


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([*BEGIN, input_is("completed"), done(), to("idle")], None),
        ([*BEGIN, done(), to("idle"), input_is("completed")], None),
        # A helper that works on, and the turn that its end brings: idle comes after both.
        ([*BEGIN, input_is("completed"), done("Wait."), done(), to("idle")], None),
        # Cut by the loss of its process, and continued.
        ([*BEGIN, to("pending"), to("active"), done(), input_is("completed"), to("idle")], None),
        ([*BEGIN, done("403", True), input_is("failed", reason="403"), to("idle")], "the turn failed: 403"),
        (
            [*BEGIN, done(None, True, "error_during_execution"), input_is("cancelled"), to("idle")],
            "the turn was stopped",
        ),
        (
            [*BEGIN, done(None, True, "error_max_turns"), input_is("completed"), to("idle")],
            "the turn failed: error_max_turns",
        ),
        ([*BEGIN, to("failed", message="No disk.")], "the session failed: No disk."),
        ([*BEGIN, event("terminated", reason="deleted")], "the session has ended: deleted"),
        ([input_is("queued"), input_is("cancelled", reason="no")], "the input was cancelled: no"),
        # Another turn, that was running still, failed.
        ([BEGIN[0], done("403", True), to("idle"), *BEGIN[1:], done(), input_is("completed"), to("idle")], None),
        ([done("403", True), input_is("queued"), input_is("cancelled")], "the input was cancelled"),
    ],
)
def test_a_turn_is_over_when_its_input_is_done_and_the_session_rests(events: list[Event], failure: str | None) -> None:
    turn = Turn(MINE, state="idle")
    assert over_after(turn, events) == len(events)
    assert turn.failure == failure


def test_what_came_before_the_input_is_of_another_turn() -> None:
    turn = Turn(MINE, state="active")
    before = [input_is("completed", OTHER), done("403", True), to("idle")]
    assert over_after(turn, before) is None
    assert not turn.begun
    assert over_after(turn, [*BEGIN, input_is("completed"), done(), to("idle")]) == 7
    assert (turn.failure, turn.result.text) == (None, "Fine.")


def test_a_new_session_is_waited_for_until_its_query_is_done() -> None:
    turn = Turn(None)
    assert over_after(turn, [to("idle"), *BEGIN, input_is("completed"), done(), to("idle")]) == 8


def test_a_new_session_without_a_query_is_waited_for_until_it_is_ready() -> None:
    assert over_after(Turn(None, expected=False), [to("pending"), to("idle")]) == 2


@pytest.mark.parametrize(
    ("scenario", "state"), [("simple", "idle"), ("approval_allowed", "idle"), ("killed", "waiting_input")]
)
def test_on_lines_of_the_real_cli(scenario: str, state: str) -> None:
    events = [read_event({**ENVELOPE, **one}) for one in recorded_events(scenario)]
    states = [one.payload["to"] for one in events if one.event_type == "session.state_changed"]
    turn = Turn(None, expected=False)
    for one in events:
        turn.take(one)
    assert states[-1] == state
    assert turn.over is (state == "idle")
