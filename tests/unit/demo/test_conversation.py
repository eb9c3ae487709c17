"""What the CLI puts into a conversation moves no script; what the user says does."""

import pytest

from jelmore_local.demo.conversation import Result, read
from tests.support.scripts import say, script
from tests.unit.demo.conversations import (
    ENVIRONMENT,
    NOTIFICATION,
    PLAN_MODE,
    REMINDER,
    RESUMED_CALL,
    Message,
    call,
    folded,
    model,
    request,
    result,
    system,
    user,
)

FIRST = script(say("one"))
SECOND = script(say("two"))
OPENING = [user(REMINDER, FIRST), system(ENVIRONMENT)]

CASES = {
    "a first prompt, after a reminder": ([*OPENING], FIRST, 0, 0),
    "a call and its result": ([*OPENING, call(), result()], FIRST, 0, 1),
    "two calls": ([*OPENING, call(), result(), call(), result()], FIRST, 0, 2),
    "the end of a background task": ([*OPENING, call(), result(), model(), user(NOTIFICATION)], FIRST, 0, 2),
    "words folded in": ([*OPENING, call(), result(), folded("And?")], FIRST, 0, 1),
    "a script folded in": ([*OPENING, call(), result(), folded("And?", SECOND)], SECOND, 1, 0),
    "a script in a tool's result": ([*OPENING, call(), result(SECOND)], FIRST, 0, 1),
    "a script in a reminder": ([*OPENING, call(), result(), user(f"<system-reminder>{SECOND}")], FIRST, 0, 1),
    "a second prompt": ([*OPENING, model(), user("Hello")], "Hello", 1, 0),
    "a prompt after a failure, in one message": ([user(REMINDER, f"{FIRST}\n", "Hello")], "Hello", 1, 0),
    "an interruption": (
        [*OPENING, call(), result("rejected"), user("[Request interrupted by user for tool use]")],
        FIRST,
        0,
        1,
    ),
    "a turn taken up again": ([user(f"{FIRST}\n", "Continue from where you left off.")], FIRST, 0, 0),
    "a cut call, resumed": (
        [*OPENING, call(), result(RESUMED_CALL), model("No response requested."), user("Hello")],
        "Hello",
        1,
        0,
    ),
    "a cut call, resumed by itself": (
        [*OPENING, call(), result(RESUMED_CALL), model("No response requested.")],
        FIRST,
        0,
        1,
    ),
    "a summary": (
        [user("This session is being continued from a previous conversation that"), user(FIRST)],
        FIRST,
        0,
        0,
    ),
    "nothing": ([user(REMINDER)], "", -1, 0),
}


@pytest.mark.parametrize(("messages", "prompt", "ordinal", "responses"), CASES.values(), ids=CASES.keys())
def test_where_a_conversation_stands(messages: list[Message], prompt: str, ordinal: int, responses: int) -> None:
    state = read(request(*messages))
    assert (state.prompt, state.ordinal, state.responses) == (prompt, ordinal, responses)


def test_results_are_those_since_the_prompt() -> None:
    before = [user("Old"), call(), result("old"), model()]
    state = read(request(*before, user(FIRST), call(), result("new"), call(), result("bad", is_error=True)))
    assert state.results == (Result("new", is_error=False), Result("bad", is_error=True))


def test_a_result_of_blocks_is_read_as_text() -> None:
    message = result()
    message["content"][0]["content"] = [{"type": "text", "text": "a"}, {"type": "image", "source": {}}]
    assert read(request(user(FIRST), call(), message)).results[0].text.strip() == "a"


def test_places_are_the_last_that_the_cli_told() -> None:
    state = read(request(user(FIRST), system(ENVIRONMENT), call(), result(), system(PLAN_MODE)))
    assert state.cwd == "/home/user/project"
    assert state.plan_file == "/home/user/.claude/plans/calm-otter.md"
