"""`jelmore wait`"""

from typing import Annotated

import typer

from jelmore.command.options import JsonOption, SessionArgument, UrlOption
from jelmore_contract.states import SessionState


def wait(
    session: SessionArgument,
    until: Annotated[
        list[SessionState] | None,
        typer.Option(
            "--for",
            help="The state that is waited for; may be repeated. Without it: idle, waiting_input or hibernated.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0, help="Give up after so long (exit code 124)."),
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Wait until a session is in a state, and print which.

    Exit code 5 where it fails or ends instead, 124 where the time is over.

    \b
    jelmore wait demo && jelmore send demo "Now add tests"
    jelmore wait demo --for waiting_input --timeout 60
    """
    from jelmore.command import runtime
    from jelmore.command.console import print_json, print_lines
    from jelmore.command.lines import Line

    with runtime.open_client(url) as client:
        found = client.find(session)
        state = found.wait(*(until or ()), timeout=timeout)
    if as_json:
        print_json({"session_id": found.id, "status": state})
    else:
        print_lines([Line(state)])
