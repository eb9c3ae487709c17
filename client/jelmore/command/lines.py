"""What rendering makes: lines of text with a style. Pure."""

from typing import NamedTuple

from jelmore.text import clean

#: Styles, in rich's words.
PLAIN, QUIET, TOOL, BAD, GOOD, ASK, USER = "", "dim", "cyan", "red", "green", "bold yellow", "bold"


class Line(NamedTuple):
    text: str
    style: str = PLAIN


def block(text: str, style: str = PLAIN, first: str = "", rest: str | None = None) -> list[Line]:
    """A text as it is, but clean: `first` before its first line, `rest` before the others (as wide a gap without)."""
    gap = " " * len(first) if rest is None else rest
    found = clean(text).strip("\n").split("\n")
    return [Line(((gap if number else first) + line).rstrip(), style) for number, line in enumerate(found)]


def indented(lines: list[Line], by: str) -> list[Line]:
    return [Line((by + line.text).rstrip(), line.style) for line in lines]
