"""Writes the table of values in the chart's README, `make chart`: each value of values.yaml with its default and the
first sentence of the comment above it.

A test compares it with what values.yaml says now.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).resolve().parent.parent / "helm/jelmore"
README = CHART / "README.md"
_BEGIN, _END = "<!-- values: made by `make chart` from values.yaml -->\n", "<!-- end of values -->\n"
#: Kubernetes' own shapes: one row each.
_WHOLE = {"resources"}
_LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):")
#: The end of a sentence, or what goes on in an example.
_SENTENCE = re.compile(r"\.(?= |$)|:(?=  )|:$")
_LONGEST = 70


class _Value(NamedTuple):
    """opens: it is a group of values, written one below the other."""

    path: tuple[str, ...]
    default: Any
    comment: str
    opens: bool


def _values() -> Iterator[_Value]:
    """In the order of the file. A comment holds for what follows at its depth, down to the next comment, group or empty
    line.
    """
    text = (CHART / "values.yaml").read_text()
    tree = yaml.safe_load(text)
    path: list[str] = []
    comments: dict[int, list[str]] = {}
    fresh = False
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        if not line.strip():
            comments, fresh = {}, False
        elif line.lstrip().startswith("#"):
            said = line.strip().removeprefix("#").removeprefix(" ")
            comments[depth] = [*(comments.get(depth, []) if fresh else []), said]
            fresh = True
        elif (match := _LINE.match(line)) and (path := [*path[:depth], match["key"]]) and _within(tree, path):
            fresh = False
            comments = {level: texts for level, texts in comments.items() if level <= depth}
            default, comment = _at(tree, path), " ".join(comments.get(depth, []))
            opens = isinstance(default, dict) and "{" not in line and path[-1] not in _WHOLE
            if opens:
                comments.pop(depth, None)
            yield _Value(tuple(path), default, comment, opens)


def _within(tree: Any, path: list[str]) -> bool:
    """Whether it is a value of its own, and not a part of one that is shown whole."""
    return isinstance(_at(tree, path[:-1]), dict) and not _WHOLE & set(path[:-1])


def _at(tree: Any, path: list[str]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _row(value: _Value) -> str:
    sentence = _SENTENCE.split(value.comment, maxsplit=1)[0].rstrip(",").replace("|", "\\|")
    default = json.dumps(value.default)
    shown = "" if value.opens else f"`{default}`" if len(default) <= _LONGEST else "see values.yaml"
    name = ".".join(value.path)
    return f"| `{name}` | {shown} | {sentence} |"


def table() -> str:
    rows = [_row(value) for value in _values() if value.comment or not value.opens]
    return "\n".join(["| value | default | |", "|---|---|---|", *rows, ""])


def readme_text() -> str:
    before, _, rest = README.read_text().partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    README.write_text(readme_text())
