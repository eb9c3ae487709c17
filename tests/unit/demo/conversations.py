"""Requests as CLI 2.1.330 sent them, shortened."""

from typing import Any

import msgspec

from jelmore_local.demo.request import Request

type Message = dict[str, Any]

REMINDER = "<system-reminder>\nAttribution for git commits: none.\n</system-reminder>\n"
ENVIRONMENT = (
    "# Environment\nYou have been invoked in the following environment: \n"
    " - Primary working directory: /home/user/project\n - Is a git repository: false\n"
)
PLAN_MODE = (
    "Plan mode is active.\n\n## Plan File Info:\nNo plan file exists yet. You should create your plan at "
    "/home/user/.claude/plans/calm-otter.md using the Write tool.\n"
)
NOTIFICATION = (
    "<system-reminder>\n[SYSTEM NOTIFICATION - NOT USER INPUT]\n<task-notification>\n<task-id>b1</task-id>\n"
    "<status>completed</status>\n</task-notification>\n</system-reminder>"
)
RESUMED_CALL = "[Tool call interrupted: the session ended before this call's result was recorded.]"
TITLE_SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def folded(*texts: str) -> Message:
    """Messages that the user sent while Claude worked."""
    note = "This is how Claude Code surfaces messages the user sends mid-turn — within the running turn."
    return system("\n\n".join(f"The user sent a new message while you were working:\n{t}\n\n{note}" for t in texts))


def user(*texts: str) -> Message:
    """A message of text blocks."""
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def system(text: str) -> Message:
    """What the CLI adds in the middle."""
    return {"role": "system", "content": text}


def model(text: str = "Well.") -> Message:
    """A response of words."""
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def call(name: str = "Bash") -> Message:
    """A response that calls a tool."""
    return {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": name, "input": {}}]}


def result(text: str = "ok", *, is_error: bool = False) -> Message:
    """What the tool gave back."""
    block = {"type": "tool_result", "tool_use_id": "t1", "content": text, "is_error": is_error}
    return {"role": "user", "content": [block]}


def request(*messages: Message, **fields: Any) -> Request:
    """A request of the main conversation, with tools on offer."""
    body = {"model": "claude-opus-5-5", "tools": [{"name": "Bash"}], "messages": messages, **fields}
    return msgspec.convert(body, Request)
