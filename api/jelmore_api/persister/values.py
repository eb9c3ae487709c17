"""Taking values out of payloads that anybody may have written: what is not as it should be counts as not there."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_LONGEST_ID = 256  # characters


def fields(payload: bytes) -> dict[str, Any]:
    """The payload's fields; {} for what has none. Lone surrogates are taken."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return clean(value) if isinstance(value, str) else None


def identifier(values: Mapping[str, Any], name: str) -> str | None:
    """As `text`, short enough for an index."""
    value = text(values, name)
    return value if value is not None and len(value) <= _LONGEST_ID else None


def word(values: Mapping[str, Any], name: str, words: type[StrEnum]) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value in set(words) else None


def clean(value: str | None) -> str | None:
    return None if value is None else plain(value)


def plain(value: str) -> str:
    """What a text column takes: no NUL, no lone surrogates."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def count(values: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else otherwise


def moment(timestamp: str) -> datetime | None:
    """None for what is no time of our age: a column of times has its limits."""
    try:
        found = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    if not 1970 <= found.year < 9999:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
