"""Events for people: each becomes some lines, or none. Pure, and never raises, whatever a payload holds."""

import base64
import binascii
import shlex
from collections.abc import Callable
from datetime import UTC, datetime

from jelmore.command import tools
from jelmore.command.frames import render_frame
from jelmore.command.lines import ASK, BAD, GOOD, QUIET, Line, block, indented
from jelmore.text import clean, one_line, size
from jelmore.values import Json, mapping, mappings, string
from jelmore_contract.errors import ErrorReason

_COLUMNS = 200


def render(event: Json, session: str) -> list[Line]:
    """`event`: an event whole. `session`: how commands that are shown name the session."""
    payload = mapping(event, "payload")
    if event.get("event_type") == "session.output":
        return _output(event, payload)
    if event.get("event_type") == "session.approval_requested":
        return _approval_requested(payload, session)
    known = _EVENTS.get(string(event, "event_type"))
    return known(payload) if known else [Line(f"· {one_line(string(event, 'event_type'), _COLUMNS)}", QUIET)]


def _output(event: Json, payload: Json) -> list[Line]:
    match event.get("encoding"):
        case "base64":
            try:
                text = base64.b64decode(string(payload, "base64")).decode(errors="replace")
            except binascii.Error:
                text = ""
            return [Line(f"· a line that is no JSON: {one_line(text, _COLUMNS)}", QUIET)]
        case "blob":
            name = one_line(string(payload, "blob"), _COLUMNS)
            return [Line(f"· a line of {_bytes(payload)}, kept as blob {name} (--raw shows it)", QUIET)]
        case _:
            return render_frame(payload)


def _created(payload: Json) -> list[Line]:
    return [Line(f"· session {_short(payload, 'name')} was created", QUIET)]


def _state_changed(payload: Json) -> list[Line]:
    state, waiting = _short(payload, "to"), _short(payload, "waiting_for")
    message = _short(payload, "message")
    text = f"· {state}" + (f" ({waiting})" if waiting else "") + (f": {message}" if message else "")
    return [Line(text, BAD if state == "failed" else QUIET)]


def _directory_changed(payload: Json) -> list[Line]:
    return [Line(f"· in {_short(payload, 'to')}", QUIET)]


def _file_modified(payload: Json) -> list[Line]:
    of_size = f", {_bytes(payload)}" if isinstance(payload.get("size"), int) else ""
    return [Line(f"· {_short(payload, 'change')} {_short(payload, 'path')}{of_size}", GOOD)]


def _git_activity(payload: Json) -> list[Line]:
    where = f" {_short(payload, 'branch')}" if payload.get("branch") else ""
    commit = f" {string(payload, 'to')[:7]}" if payload.get("to") else ""
    inside = f" in {_short(payload, 'repository')}" if payload.get("repository") else ""
    message = f": {_short(payload, 'message')}" if payload.get("message") else ""
    return [Line(clean(f"· git {_short(payload, 'operation')}{inside}{where}{commit}{message}"), GOOD)]


def _input(payload: Json) -> list[Line]:
    state, reason = string(payload, "state"), _short(payload, "reason")
    if state not in ("failed", "cancelled"):
        return []  # its text comes from the CLI once it is taken
    return [Line(f"✗ input {_short(payload, 'input_id')} {state}" + (f": {reason}" if reason else ""), BAD)]


def _approval_requested(payload: Json, session: str) -> list[Line]:
    tool_name, tool_input = string(payload, "tool_name"), mapping(payload, "input")
    answer = f"{shlex.quote(clean(session))} {shlex.quote(_short(payload, 'approval_id'))}"
    match string(payload, "kind"):
        case "question":
            return [*_questions(tool_input), Line(f"    jelmore approve {answer}{_answers(tool_input)}", ASK)]
        case "plan":
            lines = [Line("? is this plan right?", ASK), *indented(block(string(tool_input, "plan")), "    ")]
        case _:
            lines = [Line(f"? may it use {tools.summary(tool_name, tool_input)}", ASK)]
    return [*lines, Line(f"    jelmore approve {answer}", ASK), Line(f"    jelmore deny {answer}", ASK)]


def _questions(tool_input: Json) -> list[Line]:
    lines: list[Line] = []
    for question in mappings(tool_input.get("questions")):
        several = " (several may be chosen)" if question.get("multiSelect") is True else ""
        lines.append(Line(f"? {_short(question, 'question')}{several}", ASK))
        for option in mappings(question.get("options")):
            told = _short(option, "description")
            lines.append(Line(f"    - {_short(option, 'label')}" + (f": {told}" if told else "")))
    return lines or [Line("? a question", ASK)]


def _answers(tool_input: Json) -> str:
    """The options of the command that answers, as they are to be typed."""
    asked = [_short(question, "question") for question in mappings(tool_input.get("questions"))]
    return "".join(f" --answer {shlex.quote(f'{question}=…')}" for question in asked)


def _approval_resolved(payload: Json) -> list[Line]:
    words = {"allow": "allowed", "deny": "denied", "cancelled": "withdrawn"}
    decision = words.get(string(payload, "decision"), _short(payload, "decision"))
    message = f": {_short(payload, 'message')}" if payload.get("message") else ""
    return [Line(f"· {decision} by {_short(payload, 'by')}{message}", QUIET)]


def _turn_completed(payload: Json) -> list[Line]:
    cost = payload.get("cost_usd")
    spent = f", ${cost:.4f} so far" if isinstance(cost, int | float) else ""
    turn = f"turn {payload.get('turn')}"
    if payload.get("is_error") is not True:
        return [Line(f"✓ {turn} done{spent}", GOOD)]
    result = _short(payload, "result")
    if not result and payload.get("subtype") == "error_during_execution":
        return [Line(f"✗ {turn} was stopped{spent}", BAD)]
    return [Line(f"✗ {turn} failed{spent}: {result or _short(payload, 'subtype')}", BAD)]


def _quota(payload: Json) -> list[Line]:
    if payload.get("status") == "allowed":
        return []
    resets_at = payload.get("resets_at")
    until = f", until {_moment(resets_at)}" if resets_at is not None else ""
    return [Line(f"· the account's quota: {_short(payload, 'status')}{until}", BAD)]


def _error(payload: Json) -> list[Line]:
    reason, message = _short(payload, "reason"), string(payload, "message")
    if reason == ErrorReason.TURN_FAILED:
        return []  # the end of the turn tells it
    return block(message or reason, BAD, f"! {reason}: " if message else "! ", "    ")


def _terminated(payload: Json) -> list[Line]:
    return [Line(f"■ the session has ended: {_short(payload, 'reason')}", QUIET)]


def _short(payload: Json, name: str) -> str:
    return one_line(string(payload, name), _COLUMNS)


def _bytes(payload: Json) -> str:
    count = payload.get("size")
    return size(count) if isinstance(count, int) else "unknown size"


def _moment(resets_at: object) -> str:
    """Claude Code gives seconds since 1970, or text."""
    if isinstance(resets_at, int | float):
        try:
            return datetime.fromtimestamp(resets_at, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            pass
    return one_line(str(resets_at), _COLUMNS)


_EVENTS: dict[str, Callable[[Json], list[Line]]] = {
    "session.created": _created,
    "session.state_changed": _state_changed,
    "session.directory_changed": _directory_changed,
    "session.file_modified": _file_modified,
    "session.git_activity": _git_activity,
    "session.input": _input,
    "session.approval_resolved": _approval_resolved,
    "session.turn_completed": _turn_completed,
    "session.quota": _quota,
    "session.error": _error,
    "session.terminated": _terminated,
}
