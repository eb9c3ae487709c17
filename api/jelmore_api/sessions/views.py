"""A session as clients see it, from its row in the projections or, before there is one, from its resource."""

import json
from datetime import datetime

import msgspec
from pydantic import ValidationError

from jelmore_api.postgres import Row
from jelmore_api.sessions.schemas import BlockedView, GitView, SessionView, UsageView, WaitingForView
from jelmore_api.sessions.spec_fields import SpecFields
from jelmore_contract.blocked import blocked
from jelmore_contract.report import Report
from jelmore_contract.resource import ClaudeSession, SessionSpec
from jelmore_contract.states import SessionState, WaitingFor


def from_resource(resource: ClaudeSession) -> SessionView:
    status, metadata = resource.status, resource.metadata
    waiting, git, block = status.waiting_for, status.git, status.blocked
    return SessionView(
        id=resource.session_id,
        status=status.state,
        current_directory=status.current_directory or resource.spec.workspace.path,
        created_at=metadata.creation_timestamp,
        last_activity=status.last_activity or metadata.creation_timestamp,
        name=metadata.name,
        namespace=metadata.namespace,
        waiting_for=WaitingForView(kind=waiting.kind, since=waiting.since) if waiting else None,
        blocked=BlockedView(reason=block.reason, until=block.until) if block else None,
        run=status.run,
        usage=UsageView(**status.usage.model_dump()),
        git=GitView(**git.model_dump()) if git else None,
        message=status.message,
        claude_session_id=status.claude_session_id,
        labels=metadata.labels,
        spec=spec_fields(resource.spec),
    )


def from_row(row: Row, now: datetime, resource: ClaudeSession | None = None) -> SessionView:
    """`resource`: where it is at hand, spec and labels are its own, of which the log is told a moment later."""
    spec = spec_fields(resource.spec) if resource else _spec(row["spec"])
    over = row["state"] == SessionState.TERMINATED
    block = None if over else blocked(row["cost_usd"], spec.budget.usd, row["quota_resets_at"], now)
    git = GitView(branch=row["git_branch"], commit=row["git_commit"])
    return SessionView(
        id=row["session_id"],
        status=row["state"],
        current_directory=row["current_directory"] or spec.workspace.path,
        created_at=row["created_at"],
        last_activity=row["last_activity"] or row["created_at"],
        name=row["name"] or f"session-{row['session_id'][:8]}",
        namespace=row["namespace"],
        waiting_for=_waiting(row),
        blocked=BlockedView(reason=block.reason, until=block.until) if block else None,
        run=row["run"],
        usage=UsageView(
            cost_usd=row["cost_usd"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            turns=row["turns"],
        ),
        git=git if git.branch or git.commit else None,
        message=row["message"] or _message(row, resource) or (block.message if block else None),
        claude_session_id=row["claude_session_id"],
        labels=resource.metadata.labels if resource else json.loads(row["labels"]),
        spec=spec,
    )


def spec_fields(spec: SessionSpec) -> SpecFields:
    return SpecFields.model_validate(spec.model_dump())


def _spec(text: str | None) -> SpecFields:
    """A spec that today's fields cannot say is shown as the defaults: an old log must stay readable."""
    try:
        return spec_fields(SessionSpec.model_validate_json(text or "{}"))
    except ValidationError:
        return SpecFields()


def _message(row: Row, resource: ClaudeSession | None) -> str | None:
    """What whoever reconciles has to say of a state that lasts; the log has only what came with its change."""
    return resource.status.message if resource and resource.status.state == row["state"] else None


def _waiting(row: Row) -> WaitingForView | None:
    if row["waiting_for"] not in set(WaitingFor):
        return None
    since = None
    if row["report"]:
        try:
            report = msgspec.json.decode(row["report"], type=Report)
            since = report.waiting_for.since if report.waiting_for else None
        except (msgspec.DecodeError, UnicodeError):
            since = None
    return WaitingForView(kind=WaitingFor(row["waiting_for"]), since=datetime.fromisoformat(since) if since else None)
