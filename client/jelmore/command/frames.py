"""Lines of the CLI (payloads of `session.output`) for people. What other events tell better, is left to them. Pure."""

import re
from collections.abc import Callable

from jelmore.command import tools
from jelmore.command.lines import BAD, QUIET, USER, Line, block, indented
from jelmore.text import one_line
from jelmore.values import Json, mapping, mappings, string

_COLUMNS = 160
# What a slash command printed.
_COMMAND_OUTPUT = re.compile(r"<local-command-std(?:out|err)>(.*)</local-command-std(?:out|err)>", re.DOTALL)
#: Before what a subagent says and does.
_SUBAGENT = "  │ "


def render_frame(frame: Json) -> list[Line]:
    """[] for frames that tell people nothing: states, results and permissions come as events of their own."""
    known = _FRAMES.get(string(frame, "type"))
    lines = known(frame) if known else []
    return indented(lines, _SUBAGENT) if frame.get("parent_tool_use_id") else lines


def _assistant(frame: Json) -> list[Line]:
    lines: list[Line] = []
    for one in _content(frame):
        match string(one, "type"):
            case "text":
                lines += block(string(one, "text"), BAD if frame.get("error") else "", "● ")
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                lines += tools.call(string(one, "name"), mapping(one, "input"))
            case "thinking" if string(one, "thinking").strip():
                lines.append(Line(f"✻ {one_line(string(one, 'thinking'), _COLUMNS)}", QUIET))
            case _:
                pass
    return lines


def _user(frame: Json) -> list[Line]:
    if frame.get("isSynthetic") is True:
        return []  # what the CLI tells the model, such as a summary of what was before
    lines: list[Line] = []
    for one in _content(frame):
        if string(one, "type") == "tool_result":
            lines += tools.result(one)
        elif string(one, "type") == "text":
            lines += _said(string(one, "text"))
        elif string(one, "type") in ("image", "document"):
            lines.append(Line(f"> ({string(one, 'type')})", USER))
    return lines


def _said(text: str) -> list[Line]:
    """By the user; or by the CLI in the user's place, which it marks."""
    if output := _COMMAND_OUTPUT.fullmatch(text.strip()):
        return block(output[1], QUIET, "· ") if output[1].strip() else []
    return block(text, QUIET if text.startswith("[Request interrupted") else USER, "> ")


def _content(frame: Json) -> list[Json]:
    content = mapping(frame, "message").get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else mappings(content)


def _system(frame: Json) -> list[Line]:
    match string(frame, "subtype"):
        case "api_retry":
            error = one_line(f"{frame.get('error_status') or ''} {string(frame, 'error')}", _COLUMNS)
            seconds = _number(frame, "retry_delay_ms") / 1000
            tries = f"{frame.get('attempt')} of {frame.get('max_retries')}"
            return [Line(f"· the model's API fails ({error}): next try in {seconds:.1f} s, {tries}", BAD)]
        case "compact_boundary":
            return [Line("· the conversation was summarized to make room", QUIET)]
        case "task_notification":
            return [Line(f"· {one_line(string(frame, 'summary') or 'a background task ended', _COLUMNS)}", QUIET)]
        case _:
            return []


def _reset(_: Json) -> list[Line]:
    return [Line("· the conversation starts anew", QUIET)]


def _number(frame: Json, name: str) -> float:
    value = frame.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


_FRAMES: dict[str, Callable[[Json], list[Line]]] = {
    "assistant": _assistant,
    "user": _user,
    "system": _system,
    "conversation_reset": _reset,
}
