"""`jelmore ls` and `jelmore show`"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from jelmore.options import JsonOption, SessionArgument, UrlOption
from jelmore_contract.states import SessionState

if TYPE_CHECKING:
    from jelmore.models import Approval, Session

_SHORT_ID = 8  # characters
_COLUMNS = ("ID", "NAME", "STATUS", "WAITING FOR", "DIRECTORY", "AGE")


def ls(
    status: Annotated[
        SessionState | None, typer.Option("--status", help="Only those in this state.", show_default=False)
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first."""
    from jelmore import runtime
    from jelmore.console import hint, print_json, print_table

    with runtime.open_client(url) as client:
        sessions = list(client.sessions(status))
    if as_json:
        print_json([session.model_dump(mode="json") for session in sessions])
    elif sessions:
        now = datetime.now(UTC)
        print_table(_COLUMNS, [_row(session, now) for session in sessions])
    elif status:
        hint(f"no session is {status}: jelmore ls lists all")
    else:
        hint('no sessions yet: jelmore create "…"')


def _row(session: "Session", now: datetime) -> tuple[str, ...]:
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
    from jelmore import runtime
    from jelmore.console import print_fields, print_json, print_lines
    from jelmore.render import render

    with runtime.open_client(url) as client:
        found = runtime.resolve(client, session)
        waits = found.status == SessionState.WAITING_INPUT
        approvals = client.approvals(found.id) if waits else []
    if as_json:
        told = [approval.model_dump(mode="json") for approval in approvals]
        print_json({**found.model_dump(mode="json"), "approvals": told})
        return
    print_fields(_fields(found))
    for approval in approvals:
        print_lines(render(_as_event(approval), found.name))


def _as_event(approval: "Approval") -> dict[str, object]:
    return {"event_type": "session.approval_requested", "payload": approval.model_dump(mode="json")}


def _fields(session: "Session") -> dict[str, str]:
    usage, git, blocked = session.usage, session.git, session.blocked
    until = f" until {blocked.until:%Y-%m-%d %H:%M} UTC" if blocked and blocked.until else ""
    return {
        "id": session.id,
        "name": session.name,
        "status": session.status,
        "waiting for": session.waiting_for.kind if session.waiting_for else "",
        "blocked": f"{blocked.reason}{until}" if blocked else "",
        "message": session.message or "",
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
