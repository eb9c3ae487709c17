"""Side requests, and the persona without a script."""

import json

import pytest

from jelmore_local.demo import persona, side
from jelmore_local.demo.conversation import Conversation, Result
from jelmore_local.demo.persona import NOTICE
from jelmore_local.demo.reply import Reply, Text, ToolUse
from tests.support.scripts import bash, script
from tests.unit.demo.conversations import TITLE_SCHEMA, call, request, result, user

SCRIPT = script(bash("rm -rf /"))


def words(reply: Reply | None) -> str:
    assert reply is not None
    return "".join(content.text for content in reply.contents if isinstance(content, Text))


def calls(reply: Reply) -> list[str]:
    return [content.name for content in reply.contents if isinstance(content, ToolUse)]


def test_a_turn_is_no_side_request() -> None:
    assert side.answer(request(user(SCRIPT))) is None


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Make a thing that is good for all", "Make a thing that is good"),
        (f"Do {SCRIPT}", "Do Please do this:"),
        ("", "Demo session"),
    ],
)
def test_a_title_is_the_prompts_first_words(prompt: str, title: str) -> None:
    asked = request(
        user(f"<session>\n{prompt}\n</session>\n\nWrite the title."),
        tools=[],
        output_config={"format": {"type": "json_schema", "schema": TITLE_SCHEMA}},
    )
    assert json.loads(words(side.answer(asked))) == {"title": title}


def test_a_structure_is_filled_plainly() -> None:
    parts = {
        "yes": {"type": "boolean"},
        "kind": {"enum": ["a", "b"]},
        "many": {"type": "array"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
    asked = request(user("x"), output_config={"format": {"schema": {"type": "object", "properties": parts}}})
    assert json.loads(words(side.answer(asked))) == {"yes": False, "kind": "a", "many": [], "deep": {"n": 0}}


def test_a_compaction_is_a_summary_without_the_script() -> None:
    compaction = "CRITICAL: Respond with TEXT ONLY.\n\nYour task is to create a detailed summary of the conversation."
    summary = words(side.answer(request(user(SCRIPT), call(), result(), user(compaction))))
    assert "<summary>" in summary
    assert "@@" not in summary


def test_without_tools_there_is_no_script() -> None:
    assert words(side.answer(request(user(SCRIPT), tools=[]))) == "This is the scripted demo model."


@pytest.mark.parametrize(
    ("prompt", "tools"),
    [
        ("Help me create a Python FastAPI application", ["Write", "Bash"]),
        ("Fix the code", ["Write", "Bash"]),
        ("Ask me something", ["AskUserQuestion"]),
        ("Use the network", ["Bash"]),
        ("Something with permission", ["Bash"]),
        ("Make a plan", ["EnterPlanMode", "Write", "ExitPlanMode"]),
        ("Hello, how are you?", []),
        ("What is a task?", []),
    ],
)
def test_routines(prompt: str, tools: list[str]) -> None:
    seen = []
    for responses in range(len(tools)):
        reply = persona.answer(Conversation(prompt=prompt, ordinal=0, responses=responses, cwd="/w"))
        seen += calls(reply)
    last = persona.answer(Conversation(prompt=prompt, ordinal=0, responses=len(tools), cwd="/w"))
    assert seen == tools
    assert calls(last) == []
    assert NOTICE in words(last)


def test_each_prompt_has_a_file_of_its_own_in_the_workspace() -> None:
    def written(prompt: str, ordinal: int) -> object:
        reply = persona.answer(Conversation(prompt=prompt, ordinal=ordinal, cwd="/w"))
        return next(content.input["file_path"] for content in reply.contents if isinstance(content, ToolUse))

    assert written("Create a FastAPI app", 0) == "/w/jelmore_demo/app.py"
    assert written("Create a program", 3) == "/w/jelmore_demo/hello_4.py"


@pytest.mark.parametrize("prompt", ["Write a FastAPI app", "Write a program"])
def test_what_is_written_is_a_program(prompt: str) -> None:
    reply = persona.answer(Conversation(prompt=prompt, ordinal=0, cwd="/w"))
    [content] = [content.input["content"] for content in reply.contents if isinstance(content, ToolUse)]
    assert isinstance(content, str)
    compile(content, "demo", "exec")


def test_the_last_words_tell_the_outcome() -> None:
    results = (Result("Not allowed.", is_error=True), Result("fine", is_error=False))
    said = words(persona.answer(Conversation(prompt="Write it", ordinal=0, responses=2, results=results)))
    assert "That did not work: Not allowed." in said
    asked = Conversation(prompt="Ask me", responses=1, results=(Result("Blue", is_error=False),))
    assert "Blue" in words(persona.answer(asked))
