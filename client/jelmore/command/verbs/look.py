"""`jelmore ls` and `jelmore show`"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from jelmore.command.options import JsonOption, LabelOption, NamespaceOption, SessionArgument, UrlOption
from jelmore_contract.states import SessionState

if TYPE_CHECKING:
    from jelmore.models import Approval, SessionView

_SHORT_ID = 8  # characters
_COLUMNS = ("ID", "NAME", "STATUS", "WAITING FOR", "DIRECTORY", "AGE")


def ls(
    status: Annotated[
        list[SessionState] | None,
        typer.Option("--status", help="Only those in this state; may be repeated.", show_default=False),
    ] = None,
    namespace: NamespaceOption = None,
    label: LabelOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first.

    \b
    jelmore ls --status waiting_input
    jelmore ls --label team=a --json
    """
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json, print_table
    from jelmore.command.specs import read_labels

    with runtime.open_client(url) as client:
        found = client.list(status=status or (), namespace=namespace, labels=read_labels(label))
        sessions = [session.view for session in found]
    if as_json:
        print_json([session.model_dump(mode="json") for session in sessions])
    elif sessions:
        now = datetime.now(UTC)
        print_table(_COLUMNS, [_row(session, now) for session in sessions])
    elif status or namespace or label:
        hint("no session is like that: jelmore ls lists all")
    else:
        hint('no sessions yet: jelmore create "…"')


def _row(session: "SessionView", now: datetime) -> tuple[str, ...]:
    from jelmore.text import age

    return (
        session.id[:_SHORT_ID],
        session.name,
        session.status,
        session.waiting_for.kind if session.waiting_for else "",
        session.current_directory or "",
        age(session.created_at, now) if session.created_at else "",
    )


def show(session: SessionArgument, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Show a session as it stands, and what Claude asks."""
    from jelmore.command import runtime
    from jelmore.command.console import print_fields, print_json, print_lines
    from jelmore.command.render import render

    with runtime.open_client(url) as client:
        found = client.find(session)
        view = found.view
        approvals = found.approvals() if view.status == SessionState.WAITING_INPUT else []
    if as_json:
        told = [approval.model_dump(mode="json") for approval in approvals]
        print_json({**view.model_dump(mode="json"), "approvals": told})
        return
    print_fields(_fields(view))
    for approval in approvals:
        print_lines(render(_as_event(approval), view.name))


def _as_event(approval: "Approval") -> dict[str, object]:
    return {"event_type": "session.approval_requested", "payload": approval.model_dump(mode="json")}


def _fields(session: "SessionView") -> dict[str, str]:
    usage, git, blocked = session.usage, session.git, session.blocked
    until = f" until {blocked.until:%Y-%m-%d %H:%M} UTC" if blocked and blocked.until else ""
    return {
        "id": session.id,
        "name": session.name,
        "status": session.status,
        "waiting for": session.waiting_for.kind if session.waiting_for else "",
        "blocked": f"{blocked.reason}{until}" if blocked else "",
        "message": session.message or "",
        "labels": ", ".join(f"{name}={value}" for name, value in session.labels.items()),
        "directory": session.current_directory or "",
        "git": " ".join(part for part in (git.branch, (git.commit or "")[:7]) if part) if git else "",
        "model": str(session.spec.get("model") or ""),
        "permissions": str(session.spec.get("permission_mode") or ""),
        "turns": str(usage.turns),
        "cost": f"${usage.cost_usd:.4f} ({usage.input_tokens} tokens in, {usage.output_tokens} out)",
        "created": _time(session.created_at),
        "last activity": _time(session.last_activity),
    }


def _time(moment: datetime | None) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="seconds") if moment else ""
