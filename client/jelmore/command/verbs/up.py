"""`jelmore up`: carried out by the part that holds it, if it is installed."""

from typing import TYPE_CHECKING

import typer

from jelmore.problems import JelmoreError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Of the entry points with which parts bring commands: `up = "package.module:main"`, which takes the arguments and
#: returns the exit code.
GROUP = "jelmore.commands"


def up(context: typer.Context) -> None:
    """Start Jelmore on this machine, until Ctrl-C."""
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name="up"))
    if not found:
        raise _missing("nothing installed here brings it")
    raise typer.Exit(_run(found[0], context.args))


def _run(command: "EntryPoint", arguments: list[str]) -> int:
    try:
        main = command.load()
    except ModuleNotFoundError as error:
        raise _missing(f"{error.name} is not installed") from error
    return int(main(arguments))


def _missing(why: str) -> JelmoreError:
    detail = "pip install 'jelmore[local]', or run `make up` in a checkout"
    return JelmoreError(f"`jelmore up` needs the servers and all other parts, but {why}: {detail}")
