"""`jelmore create`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jelmore.options import FollowOption, JsonOption, TimeoutOption, UrlOption, WaitOption
from jelmore.problems import UsageProblem

if TYPE_CHECKING:
    from jelmore.api import Client
    from jelmore.models import Session


def create(
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="What Claude is to do first; - reads it from stdin.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Lower-case letters, digits and hyphens; made up without it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model name or alias; Claude Code's default without it.")
    ] = None,
    permission_mode: Annotated[
        str | None,
        typer.Option(
            "--permission-mode",
            metavar="MODE",
            help="default, acceptEdits (without this option), plan, dontAsk or bypassPermissions.",
        ),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="PATH", help="The folder to work in; a fresh one without it."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="TOOL", help='Allow without asking, as in "Bash(git *)"; may be repeated.'),
    ] = None,
    wait: WaitOption = False,
    follow: FollowOption = False,
    timeout: TimeoutOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a session; with QUERY, Claude starts working.

    Example: jelmore create "Help me create a Python FastAPI application" --follow
    """
    from jelmore import runtime

    if wait and follow:
        raise UsageProblem("--wait and --follow: choose one")
    fields: dict[str, Any] = {
        "query": None if query is None else runtime.read_text(query, "QUERY"),
        "name": name,
        "model": model,
        "permission_mode": permission_mode,
        "workspace": {"path": str(workspace.expanduser().absolute())} if workspace else None,
        "allowed_tools": allow or None,
    }
    with runtime.open_client(url) as client:
        session = client.create({field: value for field, value in fields.items() if value is not None})
        if wait or follow:
            _follow(client, session, query is not None, follow, timeout, as_json)
        else:
            _tell(session, query is not None, as_json)


def _tell(session: "Session", working: bool, as_json: bool) -> None:
    from jelmore.console import hint, print_json, print_lines
    from jelmore.lines import Line

    if as_json:
        print_json(session.model_dump(mode="json"))
        return
    print_lines([Line(f"{session.name} {session.id}")])
    hint(f"watch it: jelmore logs -f {session.name}" if working else f'ask it: jelmore send {session.name} "…"')


def _follow(
    client: "Client", session: "Session", working: bool, follow: bool, timeout: float | None, as_json: bool
) -> None:
    from jelmore.console import hint, print_json, print_lines
    from jelmore.following import Form, follow_turn
    from jelmore.lines import block
    from jelmore.turn import Turn

    hint(f"{session.name} {session.id}")
    turn = Turn(None, expected=working)
    form = (Form.JSON if as_json else Form.PEOPLE) if follow else Form.ASKED
    follow_turn(client, session, turn, form, timeout=timeout)
    if follow:
        return
    if as_json:
        print_json({**client.session(session.id).model_dump(mode="json"), "result": turn.result})
    elif turn.result:
        print_lines(block(turn.result))
