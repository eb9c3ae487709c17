"""A session's row, moved by its events and by its agent's reports. Rows are changed in place."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from jelmore_api.persister.rows import SessionRow
from jelmore_api.persister.values import clean, count, moment, plain, text, word
from jelmore_contract.events import Envelope, EventType
from jelmore_contract.report import Report
from jelmore_contract.states import SessionState


def apply_event(session: SessionRow, event: Envelope, values: dict[str, Any]) -> None:
    """`values`: the fields of the event's payload, whole."""
    if (project := _BY_TYPE.get(event.event_type)) is not None:
        project(session, values, event)


def apply_report(session: SessionRow, report: Report) -> None:
    session.run = report.run
    session.cost_usd, session.turns = report.usage.cost_usd, report.usage.turns
    session.input_tokens = report.usage.input_tokens
    session.output_tokens = report.usage.output_tokens
    session.claude_session_id = clean(report.claude_session_id)
    session.current_directory = clean(report.current_directory) or session.current_directory
    session.quota_resets_at = clean(report.quota_resets_at)
    session.git_branch = clean(report.git.branch) if report.git else None
    session.git_commit = clean(report.git.commit) if report.git else None


def read_report(body: bytes) -> Report:
    """Raises ValueError for what is no report, or one with counts that no column takes."""
    try:
        report = msgspec.json.decode(body, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a report: {error}") from error
    usage = report.usage
    if not all(0 <= count < 2**31 for count in (report.run, usage.turns)):
        raise ValueError("not a report: a count is out of range")
    if not all(0 <= count < 2**63 for count in (usage.input_tokens, usage.output_tokens)):
        raise ValueError("not a report: a count is out of range")
    return report


def _created(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    session.name = text(values, "name") or session.name
    session.created_at = session.created_at or moment(event.timestamp)
    _described(session, values, event)


def _described(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    if isinstance(values.get("spec"), dict):
        session.spec = json.dumps(values["spec"], separators=(",", ":"))
    labels = values.get("labels")
    if isinstance(labels, dict):
        words = {plain(key): plain(value) for key, value in labels.items() if isinstance(value, str)}
        session.labels = json.dumps(words, separators=(",", ":"))


def _state_changed(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    state = word(values, "to", SessionState)
    if state is None:
        return
    session.state = state
    session.waiting_for = text(values, "waiting_for")
    session.message = text(values, "message")
    session.run = count(values, "run", session.run)
    if state == SessionState.TERMINATED:
        session.terminated_at = session.terminated_at or moment(event.timestamp)


def _directory_changed(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.current_directory = text(values, "to") or session.current_directory


def _turn_completed(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.turns = count(values, "turn", session.turns)
    cost = values.get("cost_usd")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e12:
        session.cost_usd = float(cost)


def _quota(session: SessionRow, values: dict[str, Any], _: Envelope) -> None:
    session.quota_resets_at = text(values, "resets_at") if values.get("status") == "rejected" else None


def _terminated(session: SessionRow, values: dict[str, Any], event: Envelope) -> None:
    session.state = SessionState.TERMINATED
    session.waiting_for = None
    session.terminated_at = session.terminated_at or moment(event.timestamp)
    session.terminated_reason = text(values, "reason")


_BY_TYPE: dict[str, Callable[[SessionRow, dict[str, Any], Envelope], None]] = {
    EventType.CREATED: _created,
    EventType.SPEC_CHANGED: _described,
    EventType.STATE_CHANGED: _state_changed,
    EventType.DIRECTORY_CHANGED: _directory_changed,
    EventType.TURN_COMPLETED: _turn_completed,
    EventType.QUOTA: _quota,
    EventType.TERMINATED: _terminated,
}
