"""Which step is due, and what it says."""

from typing import Any

import pytest

from jelmore_local.demo.conversation import Conversation
from jelmore_local.demo.reply import Answer, Ending, Refusal, Reply, Text, ToolUse
from jelmore_local.demo.reply import say as reply
from jelmore_local.demo.script import ScriptError, answer, parse
from tests.support.scripts import agent, ask, bash, cut, edit, error, plan, say, script, stall, tool, write

ENDED = reply("The script has ended.")


def due(*steps: Any, responses: int = 0, attempt: int = 0, cwd: str = "", plan_file: str = "") -> Answer | None:
    """The answer to a conversation with this script."""
    return answer(Conversation(prompt=script(*steps), responses=responses, cwd=cwd, plan_file=plan_file), attempt)


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        (0, Reply((ToolUse("Bash", {"command": "echo hi"}),))),
        (1, reply("done")),
        (2, ENDED),
        (3, ENDED),
    ],
)
def test_a_step_for_each_response(responses: int, expected: Answer) -> None:
    assert due(bash("echo hi"), say("done"), responses=responses) == expected


@pytest.mark.parametrize(
    ("responses", "attempt", "expected"),
    [
        (0, 0, Refusal(500, "as the script has it")),
        (0, 1, Refusal(500, "as the script has it")),
        (0, 2, Refusal(429, "as the script has it", 1.0)),
        (0, 3, reply("one")),
        (0, 9, reply("one")),
        (1, 0, Refusal(529, "as the script has it")),
        (1, 99, Refusal(529, "as the script has it")),
        (2, 0, ENDED),
    ],
)
def test_a_failure_stands_before_a_step_and_is_no_response(responses: int, attempt: int, expected: Answer) -> None:
    steps = [error(500, times=2), error(429, times=1, retry_after=1), say("one"), error(529)]
    assert due(*steps, responses=responses, attempt=attempt) == expected


def test_a_failure_for_ever_lets_no_later_step_come() -> None:
    assert due(error(400), say("never"), attempt=1000) == Refusal(400, "as the script has it")


@pytest.mark.parametrize(
    ("step", "ending", "after"), [(cut(3, "words"), Ending.CUT, 3), (stall(0, "words"), Ending.STALL, 0)]
)
def test_a_broken_stream(step: dict[str, Any], ending: Ending, after: int) -> None:
    assert due(step) == Reply((Text("words"),), ending=ending, ending_after=after)


def test_several_contents_make_one_response() -> None:
    expected = Reply((Text("Both."), ToolUse("Bash", {"command": "a"}), ToolUse("Bash", {"command": "b"})))
    assert due([say("Both."), bash("a"), bash("b")]) == expected


def test_words_streamed_slowly() -> None:
    assert due(say("ab", chars=5, deltas=4, delay_ms=250)) == Reply((Text("ababa"),), deltas=4, delay_s=0.25)


def test_words_of_a_size_alone() -> None:
    answered = due({"chars": 100})
    assert isinstance(answered, Reply)
    assert [len(content.text) for content in answered.contents if isinstance(content, Text)] == [100]


def test_places_are_filled_in() -> None:
    expected = Reply((ToolUse("Write", {"file_path": '/a "b"/c.md', "content": "x"}),))
    assert due(write("%cwd%/c.md", "x"), cwd='/a "b"') == expected
    assert due(write("%plan_file%", "x"), plan_file='/a "b"/c.md') == expected


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (edit("a", "b", "c"), "Edit"),
        (ask("Which?", "This", "That"), "AskUserQuestion"),
        (agent(script(say("inner"))), "Agent"),
        (tool("Read", file_path="a"), "Read"),
        (plan("# Plan")[2], "ExitPlanMode"),
    ],
)
def test_helpers_make_calls(step: Any, name: str) -> None:
    answered = due(step)
    assert isinstance(answered, Reply)
    assert [content.name for content in answered.contents if isinstance(content, ToolUse)] == [name]


def test_a_script_within_a_script_is_the_inner_ones() -> None:
    inner = script(say("inner"))
    answered = due(agent(inner), say("outer"))
    assert isinstance(answered, Reply)
    call = answered.contents[0]
    assert isinstance(call, ToolUse)
    assert call.input["prompt"] == inner
    assert answer(Conversation(prompt=inner), 0) == reply("inner")


def test_no_script() -> None:
    assert parse("Write me an e-mail to a@@b") is None
    assert answer(Conversation(prompt="Hello"), 0) is None


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ('@@[{"text": "a"]@@', "no JSON"),
        ('@@[{"text": "a"}]', "not closed"),
        ('@@[{"txt": "a"}]@@', "unknown field `txt`"),
        ('@@[{"text": 1}]@@', "`$[0].text`"),
        ('@@[{"error": 200}]@@', ">= 400"),
        ('@@[{"text": "a", "delay_ms": -1}]@@', ">= 0"),
        ('@@["a"]@@', "Expected `object`"),
    ],
)
def test_a_wrong_script_says_where(prompt: str, words: str) -> None:
    with pytest.raises(ScriptError, match="script") as caught:
        parse(prompt)
    assert words in str(caught.value)
    assert answer(Conversation(prompt=prompt), 0) == reply(str(caught.value))
