"""`jelmore create`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jelmore.command.options import (
    FollowOption,
    JsonOption,
    LabelOption,
    NamespaceOption,
    TimeoutOption,
    UrlOption,
    WaitOption,
)
from jelmore.problems import InvalidRequest

if TYPE_CHECKING:
    from jelmore.blocking import Session


def create(
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="What Claude is to do first; - reads it from stdin.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Lower-case letters, digits and hyphens; made up without it.")
    ] = None,
    namespace: NamespaceOption = None,
    label: LabelOption = None,
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
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="TOOL", help='Allow without asking, as in "Bash(git *)"; may be repeated.'),
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="PATH", help="The folder to work in; a fresh one without it."),
    ] = None,
    git: Annotated[str | None, typer.Option("--git", metavar="URL", help="A repository to clone first.")] = None,
    ref: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="With --git: its branch, tag or commit.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", metavar="USD", min=0, help="Take no more inputs once the session has cost so much."),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(
            "--spec",
            metavar="FILE",
            help="All else that a session may be asked to be, as a JSON object (- is stdin); other options win.",
        ),
    ] = None,
    wait: WaitOption = False,
    follow: FollowOption = False,
    timeout: TimeoutOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a session; with QUERY, Claude starts working.

    \b
    jelmore create "Help me create a Python FastAPI application" --follow
    jelmore create "Fix the tests" --git https://github.com/me/it --ref main --budget 2
    jelmore create --spec session.json --label team=a
    """
    from jelmore.command import runtime
    from jelmore.command.specs import read_labels, read_spec, session_spec

    if wait and follow:
        raise InvalidRequest("--wait and --follow: choose one")
    if query == "-" and spec == "-":
        raise InvalidRequest("QUERY and --spec both read stdin: give one of them otherwise")
    given: dict[str, Any] = {
        "query": None if query is None else runtime.read_text(query, "QUERY"),
        "name": name,
        "namespace": namespace,
        "labels": read_labels(label),
        "model": model,
        "permission_mode": permission_mode,
        "allowed_tools": allow,
        "workspace.path": None if workspace is None else str(workspace.expanduser().absolute()),
        "workspace.git.url": git,
        "workspace.git.ref": ref,
        "budget.usd": budget,
    }
    fields = session_spec(read_spec(spec) if spec else {}, given)
    with runtime.open_client(url) as client:
        session = client.create(**fields)
        if wait or follow:
            _follow(session, follow, timeout, as_json)
        else:
            _tell(session, fields.get("query") is not None, as_json)


def _tell(session: "Session", working: bool, as_json: bool) -> None:
    from jelmore.command.console import hint, print_json, print_lines
    from jelmore.command.lines import Line

    if as_json:
        print_json(session.view.model_dump(mode="json"))
        return
    print_lines([Line(f"{session.name} {session.id}")])
    hint(f"watch it: jelmore logs -f {session.name}" if working else f'ask it: jelmore send {session.name} "…"')


def _follow(session: "Session", follow: bool, timeout: float | None, as_json: bool) -> None:
    from jelmore.command.console import hint, print_json
    from jelmore.command.following import follow_turn, form_of, print_result

    hint(f"{session.name} {session.id}")
    result = follow_turn(session, None, form_of(follow, as_json), timeout)
    if follow:
        return
    if as_json:
        print_json({**session.refresh().model_dump(mode="json"), "result": result.text})
    else:
        print_result(result)
