"""The arguments and options that commands share."""

from typing import Annotated

import typer

#: A person waits while a shell completes.
_COMPLETION_S = 1.0


def _session_names(incomplete: str) -> list[str]:
    """For a shell: of what has not ended. None where Jelmore is not reached at once."""
    from jelmore.command import runtime
    from jelmore.problems import JelmoreError

    try:
        with runtime.open_client(None, timeout=_COMPLETION_S, retries=0) as client:
            names = [session.name for session in client.list(name_prefix=incomplete) if session.status != "terminated"]
    except JelmoreError:
        return []
    return names


SessionArgument = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help="Its name, its id, or the first characters of its id (at least 4).",
        autocompletion=_session_names,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where Jelmore is; without it JELMORE_URL, what runs on this machine, or http://127.0.0.1:8000.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Until Claude is done; print what it said in the end.")]
FollowOption = Annotated[bool, typer.Option("--follow", help="Until Claude is done; print all that happens.")]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="With --wait or --follow: give up after so long (exit code 124)."
    ),
]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="In a cluster; without it, the one that Jelmore is in."),
]
LabelOption = Annotated[list[str] | None, typer.Option("--label", "-l", metavar="NAME=VALUE", help="May be repeated.")]
