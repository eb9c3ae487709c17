"""What rendering makes: lines of text with a style. Pure."""

from typing import Any, NamedTuple

from jelmore.text import clean

type Json = dict[str, Any]

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


def string(of: Json, name: str) -> str:
    """A field, or "" where it is missing or no string: what is rendered was printed by another program."""
    value = of.get(name)
    return value if isinstance(value, str) else ""


def mapping(of: Json, name: str) -> Json:
    value = of.get(name)
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Json]:
    """The objects in a list; [] for what is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
