"""What is read of JSON that another program wrote: a field, or nothing where it is missing or of another kind. Pure."""

from typing import Any

type Json = dict[str, Any]


def string(of: Json, name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""


def number(of: Json, name: str) -> float:
    value = of.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def mapping(of: Json, name: str) -> Json:
    value = of.get(name)
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Json]:
    """The objects in a list; [] for what is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
