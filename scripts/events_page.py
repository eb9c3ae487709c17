"""The part of docs/events.md that names every event and command: tables and examples from the AsyncAPI document."""

import json
import textwrap
from pathlib import Path
from typing import Any

from jelmore_contract.asyncapi import COMMAND_EXAMPLES, EVENT_EXAMPLES, document
from jelmore_contract.commands import COMMANDS
from jelmore_contract.events import EventType
from jelmore_contract.payloads import PAYLOADS

PAGE = Path(__file__).resolve().parent.parent / "docs/events.md"
_BEGIN = "<!-- made by `make asyncapi` from here: {} -->\n"
_END = "<!-- to here -->"
_LINE = (
    "A line of Claude Code, whole and unchanged: all that it prints, partial messages aside. Its types and fields are "
    "the CLI's own. A line that is no JSON or no UTF-8 stands in base64, with `encoding: base64` beside it."
)
_WORDS = {"integer": "number", "string": "text", "boolean": "true or false", "array": "list"}


def page() -> str:
    """The page as it should be: what is written by hand stays."""
    text = PAGE.read_text()
    schemas = document()["components"]["schemas"]
    events = [
        _section(
            kind, PAYLOADS[kind].__doc__ or "" if kind in PAYLOADS else _LINE, PAYLOADS.get(kind), EVENT_EXAMPLES[kind]
        )
        for kind in EventType
    ]
    commands = [_section(kind, _about(of), of, COMMAND_EXAMPLES[kind]) for kind, of in COMMANDS.items()]
    for name, sections in (("events", events), ("commands", commands)):
        begin = _BEGIN.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(_END)
        made = "\n".join(title + about + _table(of, schemas) + example for title, about, of, example in sections)
        text = f"{before}{begin}\n{made}\n{_END}{after}"
    return text


def _about(of: type | None) -> str:
    return _LINE if of is None else of.__doc__ or ""


def _section(name: str, about: str, of: type | None, example: Any) -> tuple[str, str, type | None, str]:
    short = json.dumps(example, ensure_ascii=False)
    shown = short if len(short) <= 110 else json.dumps(example, indent=2, ensure_ascii=False)
    words = textwrap.fill(" ".join(about.split()), 120, break_long_words=False, break_on_hyphens=False)
    return f"### {name}\n\n", f"{words}\n\n", of, f"```json\n{shown}\n```\n"


def _table(of: type | None, schemas: dict[str, Any]) -> str:
    if of is None or not of.__annotations__:
        return ""
    schema = schemas[of.__name__]
    required = schema.get("required", [])
    rows = []
    for name in of.__annotations__:
        field = schema["properties"][name]
        missing = "" if name in required else ", may be missing"
        rows.append(f"| `{name}` | {_kind(field, schemas)}{missing} | {field.get('description', '')} |\n")
    return f"| field | is | |\n|---|---|---|\n{''.join(rows)}\n"


def _kind(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "anyOf" in field:
        return " or ".join(_kind(form, schemas) for form in field["anyOf"])
    if "allOf" in field:
        return _kind(field["allOf"][0], schemas)
    if "$ref" in field:
        return _kind(schemas[field["$ref"].rpartition("/")[2]], schemas)
    kind: str = field.get("type", "anything")
    return _WORDS.get(kind, kind)
