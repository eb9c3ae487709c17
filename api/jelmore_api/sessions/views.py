"""A session as clients see it, from its row in the projections or, before there is one, from its resource."""

import json
from datetime import datetime

import msgspec
from pydantic import ValidationError

from jelmore_api.postgres import Row
from jelmore_api.sessions.schemas import BlockedView, GitView, SessionView, SpecFields, UsageView, WaitingForView
from jelmore_contract.report import Report
from jelmore_contract.resource import ClaudeSession, SessionSpec
from jelmore_contract.states import WaitingFor


def from_resource(resource: ClaudeSession) -> SessionView:
    status, metadata = resource.status, resource.metadata
    waiting, git, blocked = status.waiting_for, status.git, status.blocked
    return SessionView(
        id=resource.session_id,
        status=status.state,
        current_directory=status.current_directory or resource.spec.workspace.path,
        created_at=metadata.creation_timestamp,
        last_activity=status.last_activity or metadata.creation_timestamp,
        name=metadata.name,
        namespace=metadata.namespace,
        waiting_for=WaitingForView(kind=waiting.kind, since=waiting.since) if waiting else None,
        blocked=BlockedView(reason=blocked.reason, until=blocked.until) if blocked else None,
        run=status.run,
        usage=UsageView(**status.usage.model_dump()),
        git=GitView(**git.model_dump()) if git else None,
        message=status.message,
        claude_session_id=status.claude_session_id,
        labels=metadata.labels,
        spec=spec_fields(resource.spec),
    )


def from_row(row: Row, now: datetime) -> SessionView:
    spec = _spec(row["spec"])
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
        blocked=_blocked(row["quota_resets_at"], now),
        run=row["run"],
        usage=UsageView(
            cost_usd=row["cost_usd"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            turns=row["turns"],
        ),
        git=git if git.branch or git.commit else None,
        message=row["message"],
        claude_session_id=row["claude_session_id"],
        labels=json.loads(row["labels"]),
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


def _blocked(resets_at: str | None, now: datetime) -> BlockedView | None:
    try:
        until = datetime.fromisoformat(resets_at) if resets_at else None
    except ValueError:
        return None
    return BlockedView(reason="quota", until=until) if until and until.tzinfo and until > now else None
