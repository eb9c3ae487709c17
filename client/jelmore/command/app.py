"""The `jelmore` command. It starts fast: what takes time to import is imported by the command that needs it."""

import functools
import io
import os
import sys
from collections.abc import Callable

import typer

from jelmore.command.verbs.answer import approve, deny
from jelmore.command.verbs.attach import attach
from jelmore.command.verbs.completion import PROGRAM, VARIABLE, completion
from jelmore.command.verbs.create import create
from jelmore.command.verbs.diff import diff
from jelmore.command.verbs.doctor import doctor
from jelmore.command.verbs.export import export
from jelmore.command.verbs.info import info
from jelmore.command.verbs.logs import logs
from jelmore.command.verbs.look import ls, show
from jelmore.command.verbs.retry import retry
from jelmore.command.verbs.send import send
from jelmore.command.verbs.stop import delete, interrupt
from jelmore.command.verbs.up import up
from jelmore.command.verbs.wait import wait
from jelmore.problems import JelmoreError

_HELP = """Long-lived Claude Code sessions on Jelmore.

Start with: jelmore up, then in another terminal jelmore create "…" --follow

Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found, 4 not allowed, 5 session or turn failed, 124 timeout.
"""


def _reported[**Given](command: Callable[Given, None]) -> Callable[Given, None]:
    """Ends with the exit code of the error, and says it as it was asked for: with --json as JSON."""

    @functools.wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except JelmoreError as error:
            from jelmore.command.console import report

            report(error, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(error.exit_code) from error

    return run


# Without rich's help and tracebacks, which take longer to import than all else.
app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
# `up` reads its own arguments.
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    _reported(up)
)
for _command in (
    *(create, ls, show, send, attach, logs, wait, approve, deny, interrupt, diff, retry, delete, export),
    *(doctor, info, completion),
):
    app.command()(_reported(_command))


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a session says may hold what the terminal's encoding cannot.
            stream.reconfigure(errors="replace")
    if VARIABLE in os.environ:
        # Typer does so by itself only where it has options of its own for it.
        from typer._completion_classes import completion_init

        completion_init()
    app(prog_name=PROGRAM)
