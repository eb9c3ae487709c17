import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore.command.lines import BAD, GOOD, QUIET, Line
from jelmore.command.render import render
from tests.support.frames import recordings
from tests.support.recorded_events import recorded_events


def texts(event: dict[str, Any], session: str = "demo") -> list[str]:
    return [line.text for line in render(event, session)]


def event(kind: str, payload: object, **more: object) -> dict[str, Any]:
    return {"seq": 1, "event_type": f"session.{kind}", "payload": payload, **more}


def output(frame: object) -> dict[str, Any]:
    return event("output", frame)


def assistant(*blocks: dict[str, Any], **more: object) -> dict[str, Any]:
    return output({"type": "assistant", "message": {"content": list(blocks)}, **more})


def user(content: object, **more: object) -> dict[str, Any]:
    return output({"type": "user", "message": {"content": content}, **more})


def tool_result(content: object, **more: object) -> dict[str, Any]:
    return user([{"type": "tool_result", "content": content, **more}])


COLOUR = {
    "questions": [
        {
            "question": "It's which?",
            "multiSelect": True,
            "options": [{"label": "Blue", "description": "As the sky"}, {"label": "Green"}],
        }
    ]
}


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (event("created", {"name": "demo"}), ["· session demo was created"]),
        (event("state_changed", {"from": "idle", "to": "active"}), ["· active"]),
        (event("state_changed", {"to": "waiting_input", "waiting_for": "plan"}), ["· waiting_input (plan)"]),
        (event("state_changed", {"to": "failed", "message": "No\ndisk."}), ["· failed: No disk."]),
        (event("directory_changed", {"from": None, "to": "/a", "turn": 1}), ["· in /a"]),
        (event("file_modified", {"path": "a.py", "change": "created", "size": 2048}), ["· created a.py, 2.0 KB"]),
        (event("file_modified", {"path": "a.py", "change": "deleted", "size": None}), ["· deleted a.py"]),
        (
            event("git_activity", {"operation": "commit", "branch": "main", "to": "0123456789", "message": "First"}),
            ["· git commit main 0123456: First"],
        ),
        (
            event("git_activity", {"operation": "stash", "branch": None, "to": None, "message": "", "repository": "x"}),
            ["· git stash in x"],
        ),
        (event("input", {"input_id": "i", "state": "started"}), []),
        (
            event("input", {"input_id": "i", "state": "failed", "reason": "interrupted"}),
            ["✗ input i failed: interrupted"],
        ),
        (event("approval_resolved", {"decision": "allow", "by": "user"}), ["· allowed by user"]),
        (
            event("approval_resolved", {"decision": "deny", "by": "timeout", "message": "Nobody answered."}),
            ["· denied by timeout: Nobody answered."],
        ),
        (
            event("turn_completed", {"turn": 3, "cost_usd": 0.12345, "is_error": False}),
            ["✓ turn 3 done, $0.1235 so far"],
        ),
        (
            event("turn_completed", {"turn": 3, "is_error": True, "result": None, "subtype": "error_max_turns"}),
            ["✗ turn 3 failed: error_max_turns"],
        ),
        (
            event("turn_completed", {"turn": 1, "is_error": True, "subtype": "error_during_execution"}),
            ["✗ turn 1 was stopped"],
        ),
        (event("quota", {"status": "allowed", "resets_at": 1}), []),
        (
            event("quota", {"status": "rejected", "resets_at": 1_754_481_600}),
            ["· the account's quota: rejected, until 2025-08-06T12:00Z"],
        ),
        (event("quota", {"status": "rejected", "resets_at": "soon"}), ["· the account's quota: rejected, until soon"]),
        (event("quota", {"status": "rejected", "resets_at": 1e300}), ["· the account's quota: rejected, until 1e+300"]),
        (event("error", {"reason": "disk_full", "message": "a\nb"}), ["! disk_full: a", "    b"]),
        (event("error", {"reason": "turn_failed", "message": "told before"}), []),
        (event("terminated", {"reason": "deleted"}), ["■ the session has ended: deleted"]),
        (event("invented_later", {"a": 1}), ["· session.invented_later"]),
    ],
)
def test_events(event: dict[str, Any], lines: list[str]) -> None:
    assert texts(event) == lines


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (assistant({"type": "text", "text": "\nOne\n\ntwo  \n"}), ["● One", "", "  two"]),
        (assistant({"type": "text", "text": "\x1b[2J\x07hi"}), ["● \ufffdhi"]),
        (assistant({"type": "text", "text": "hi"}, parent_tool_use_id="t"), ["  │ ● hi"]),
        (assistant({"type": "thinking", "thinking": "Hm,\nwell"}), ["✻ Hm, well"]),
        (assistant({"type": "thinking", "thinking": ""}, {"type": "redacted_thinking"}), []),
        (
            assistant(
                {"type": "tool_use", "name": "Bash", "input": {"command": "cd a &&\n ls", "description": "Look"}}
            ),
            ["→ Bash: cd a && ls"],
        ),
        (assistant({"type": "tool_use", "name": "Edit", "input": {"file_path": "/a.py"}}), ["→ Edit: /a.py"]),
        (assistant({"type": "tool_use", "name": "mcp__x__y", "input": {"n": 1}}), ['→ mcp__x__y: {"n": 1}']),
        (assistant({"type": "tool_use", "name": "ListFiles", "input": {}}), ["→ ListFiles"]),
        (assistant({"type": "tool_use", "name": "AskUserQuestion", "input": COLOUR}), []),
        (tool_result("1\n2\n3\n4\n5\n6\n7\n"), ["← 1", "  2", "  3", "  4", "  5", "  … 2 more lines"]),
        (tool_result("x" * 500), [f"← {'x' * 159}…"]),
        (tool_result(""), ["← (no output)"]),
        (tool_result([{"type": "text", "text": "a"}, {"type": "image", "source": "…"}]), ["← a", "  (image, 37 B)"]),
        (tool_result(None), ["← (no output)"]),
        (user("Help me"), ["> Help me"]),
        (user([{"type": "text", "text": "Look:"}, {"type": "image"}]), ["> Look:", "> (image)"]),
        (user("This session is being continued", isSynthetic=True), []),
        (user("<local-command-stdout>Compacted </local-command-stdout>"), ["· Compacted"]),
        (output({"type": "system", "subtype": "compact_boundary"}), ["· the conversation was summarized to make room"]),
        (output({"type": "system", "subtype": "task_notification", "summary": "It ended"}), ["· It ended"]),
        (
            output(
                {
                    "type": "system",
                    "subtype": "api_retry",
                    "attempt": 1,
                    "max_retries": 3,
                    "retry_delay_ms": 604,
                    "error_status": 500,
                    "error": "server_error",
                }
            ),
            ["· the model's API fails (500 server_error): next try in 0.6 s, 1 of 3"],
        ),
        (output({"type": "system", "subtype": "init", "cwd": "/"}), []),
        (output({"type": "result", "result": "told by turn_completed"}), []),
        (output({"type": "invented_later"}), []),
        (event("output", {"base64": "/wBo\nZWxsbw=="}, encoding="base64"), ["· a line that is no JSON: ��hello"]),
        (event("output", {"base64": "!"}, encoding="base64"), ["· a line that is no JSON: "]),
        (
            event("output", {"blob": "r1-7", "size": 5 << 20}, encoding="blob"),
            ["· a line of 5.0 MB, kept as blob r1-7 (--raw shows it)"],
        ),
    ],
)
def test_what_the_cli_printed(event: dict[str, Any], lines: list[str]) -> None:
    assert texts(event) == lines


@pytest.mark.parametrize(
    ("payload", "lines"),
    [
        (
            {"kind": "approval", "approval_id": "r-1", "tool_name": "Bash", "input": {"command": "rm x"}},
            ["? may it use Bash: rm x", "    jelmore approve demo r-1", "    jelmore deny demo r-1"],
        ),
        (
            {"kind": "plan", "approval_id": "r-1", "tool_name": "ExitPlanMode", "input": {"plan": "# Plan\n1. Go"}},
            [
                "? is this plan right?",
                "    # Plan",
                "    1. Go",
                "    jelmore approve demo r-1",
                "    jelmore deny demo r-1",
            ],
        ),
        (
            {"kind": "question", "approval_id": "r-1", "tool_name": "AskUserQuestion", "input": COLOUR},
            [
                "? It's which? (several may be chosen)",
                "    - Blue: As the sky",
                "    - Green",
                "    jelmore approve demo r-1 --answer 'It'\"'\"'s which?=…'",
            ],
        ),
        # What Claude's container says can make no command that does something else.
        (
            {"kind": "approval", "approval_id": "r;rm -rf /\n", "tool_name": "B\x1b[2Jash", "input": {}},
            ["? may it use Bash", "    jelmore approve demo 'r;rm -rf /'", "    jelmore deny demo 'r;rm -rf /'"],
        ),
    ],
)
def test_a_question_comes_with_the_command_that_answers(payload: dict[str, Any], lines: list[str]) -> None:
    assert texts(event("approval_requested", payload)) == lines


def test_a_subagent_is_set_apart_and_errors_stand_out() -> None:
    assert render(tool_result("no", is_error=True), "demo") == [Line("← no", BAD)]
    assert render(tool_result("yes"), "demo") == [Line("← yes", QUIET)]
    assert render(event("file_modified", {"path": "a", "change": "created"}), "demo")[0].style == GOOD


def test_a_recorded_turn_reads_well() -> None:
    lines = [text for one in recorded_events("bash_cd") for text in texts(one)]
    assert lines[:7] == [
        "· active",
        "· in /home/user/project",
        "→ Bash: mkdir -p sub/deeper && cd sub",
        "· in /home/user/project/sub",
        "← (Bash completed with no output)",
        "→ Bash: pwd",
        "← /home/user/project/sub",
    ]
    assert lines[-3:] == ["● Where I am now.", "✓ turn 2 done, $0.3882 so far", "· idle"]


@pytest.mark.parametrize("scenario", recordings())
def test_every_recorded_line_can_be_rendered(scenario: str) -> None:
    for one in recorded_events(scenario):
        for text in texts(one):
            assert "\n" not in text
            assert "\x1b" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "type",
    "subtype",
    "message",
    "content",
    "text",
    "input",
    "name",
    "kind",
    "approval_id",
    "questions",
    "options",
    "size",
    "base64",
    "to",
    "from",
]


@given(
    kind=st.sampled_from(
        ["output", "created", "approval_requested", "file_modified", "quota", "git_activity", "turn_completed"]
    ),
    payload=st.dictionaries(st.sampled_from(NAMES), JSON | st.sampled_from(["assistant", "user", "system"])) | JSON,
    encoding=st.sampled_from([None, "blob", "base64", 1]),
)
def test_nothing_that_a_payload_holds_is_too_strange(kind: str, payload: object, encoding: object) -> None:
    for line in render(event(kind, payload, encoding=encoding), "demo"):
        assert "\n" not in line.text
        json.dumps(line.text).encode()
