"""`jelmore export`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jelmore.command.options import JsonOption, SessionArgument, UrlOption
from jelmore.problems import InvalidRequest

if TYPE_CHECKING:
    from jelmore.command.exporting import Kept


def export(
    session: SessionArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Instead of stdout. One that is there already is gone on with."
        ),
    ] = None,
    blobs: Annotated[
        bool, typer.Option("--blobs", help="With payloads that were too large for their event put back into it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; compare FILE with the log, line by line.")
    ] = False,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a session's whole log as lines of JSON, one event each.

    A file that was cut off, or that the session has outgrown since, is gone on with where it ends.

    \b
    jelmore export demo > demo.jsonl
    jelmore export demo --output demo.jsonl --blobs
    jelmore export demo --output demo.jsonl --blobs --check
    """
    from jelmore.command import runtime
    from jelmore.command.exporting import compare, go_on, print_all

    if check and output is None:
        raise InvalidRequest("--check compares a file: name it by --output")
    if as_json and output is None:
        raise InvalidRequest("--json tells of what was written to a file: name it by --output")
    with runtime.open_client(url) as client:
        found = client.find(session)
        if output is None:
            print_all(found, blobs)
            return
        kept = compare(found, output, blobs) if check else go_on(found, output, blobs)
    _tell(kept, output, check, as_json)


def _tell(kept: "Kept", output: Path, check: bool, as_json: bool) -> None:
    from jelmore.command.console import hint, print_json

    if as_json:
        print_json({"file": str(output), "events": kept.events, "last_seq": kept.seq, "ended": kept.ended})
        return
    what = "is the log" if check else "holds the log"
    more = "; the session has ended" if kept.ended else "; the session may go on: export it again"
    hint(f"{output} {what} up to {kept.seq}: {kept.events} events{more}")
