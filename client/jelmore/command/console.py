"""What the command prints: results on stdout, hints and errors on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, TextIO

from jelmore.command.lines import Line
from jelmore.problems import JelmoreError
from jelmore.text import clean

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 10_000  # columns of what is no terminal: nothing is cut there


def print_lines(lines: Iterable[Line]) -> None:
    _print(_console("stdout"), lines)


def print_hints(lines: Iterable[Line]) -> None:
    """To stderr: what a script that reads stdout must not see."""
    _print(_console("stderr"), lines)


def hint(text: str) -> None:
    print(clean(text), file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One document, for people and programs. Lone surrogates go as their escapes."""
    _write(json.dumps(value, indent=2) + "\n")


def print_json_line(text: str) -> None:
    """`text`: JSON as it came."""
    _write(text + "\n")


def print_script(script: str) -> None:
    _write(script + "\n")


def print_patch(patch: str) -> None:
    """As it is for a program; on a terminal, without what could steer that."""
    _write(clean(patch) if sys.stdout.isatty() else patch)


def print_bytes(line: bytes) -> None:
    """A line as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    _console("stdout").print(table)


def print_fields(fields: Mapping[str, str]) -> None:
    """Names and values, those without a value left out."""
    widest = max(len(name) for name in fields)
    print_lines(Line(f"{name:<{widest}}  {clean(value)}") for name, value in fields.items() if value)


def report(error: JelmoreError, as_json: bool) -> None:
    if as_json:
        told: dict[str, object] = {"error": error.detail, "exit_code": int(error.exit_code)}
        print(json.dumps(told | ({"problem": error.document} if error.document else {})), file=sys.stderr, flush=True)
    else:
        hint(f"jelmore: {error.detail}")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _print(console: "Console", lines: Iterable[Line]) -> None:
    from rich.text import Text

    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)


@cache
def _console(name: str) -> "Console":
    """Rich takes half a second of a slow machine to import: only where something is printed for people."""
    from rich.console import Console

    stream: TextIO = getattr(sys, name)
    return Console(stderr=name == "stderr", width=None if stream.isatty() else _WIDE, highlight=False, emoji=False)
