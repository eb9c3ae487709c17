"""A tool call in one line, and its result in a few. Pure."""

import json

from jelmore.command.lines import BAD, QUIET, TOOL, Line
from jelmore.text import excerpt, one_line, size
from jelmore.values import Json, mappings, string

_CALL_COLUMNS = 160
_RESULT_LINES = 5
_RESULT_COLUMNS = 160
# Tools that ask the user: what they ask comes as an event of its own.
_ASKING = ("AskUserQuestion", "ExitPlanMode")
# What a call of a tool is about: the first of these that it has.
_SUBJECTS = (
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "path",
    "url",
    "query",
    "skill",
    "description",
    "subject",
    "task_id",
    "prompt",
)


def summary(tool_name: str, tool_input: Json) -> str:
    """`Bash: ls -l`."""
    subject = next((string(tool_input, name) for name in _SUBJECTS if string(tool_input, name).strip()), "")
    if not subject and tool_input:
        subject = json.dumps(tool_input, ensure_ascii=False)
    name = one_line(tool_name, 60) or "a tool"
    return one_line(f"{name}: {subject}", _CALL_COLUMNS) if subject else name


def call(tool_name: str, tool_input: Json) -> list[Line]:
    return [] if tool_name in _ASKING else [Line(f"→ {summary(tool_name, tool_input)}", TOOL)]


def result(block: Json) -> list[Line]:
    """Of a `tool_result` block: text, or blocks of text, images, ..."""
    text = _text(block.get("content"))
    lines = excerpt(text, _RESULT_LINES, _RESULT_COLUMNS) if text.strip() else ["(no output)"]
    style = BAD if block.get("is_error") is True else QUIET
    return [Line((("  " if number else "← ") + line).rstrip(), style) for number, line in enumerate(lines)]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_block_text(one) for one in mappings(content))


def _block_text(one: Json) -> str:
    if string(one, "type") == "text":
        return string(one, "text")
    return f"({string(one, 'type') or 'something'}, {size(len(json.dumps(one)))})"
