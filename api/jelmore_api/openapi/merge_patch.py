"""What a merge patch (RFC 7396) of something looks like: each field as it is there, or null, at every depth."""

from collections.abc import Set as AbstractSet
from typing import Any

from jelmore_api.openapi.schemas import ref, target

type _Json = dict[str, Any]

_NULL = {"type": "null"}
#: How many entries there may be, a patch that takes some away does not tell.
_OF_THE_WHOLE = {"maxProperties", "minProperties"}


def changes(of: str, name: str, schemas: _Json, *, without: AbstractSet[str]) -> _Json:
    """The schema `name`, a patch of `of` but for the fields that stay as they are, and those that it needs."""
    made: _Json = {}
    _change(of, name, schemas, made, without)
    made[name]["description"] = (
        "The fields of the spec that change, and labels, as a merge patch (RFC 7396): null, at any depth, takes away "
        "what was set, and what is not there stays as it is."
    )
    return made


def _change(of: str, name: str, schemas: _Json, made: _Json, without: AbstractSet[str] = frozenset()) -> None:
    schema = schemas[of]
    made[name] = {
        "title": name,
        "type": "object",
        "description": f"What changes of {of}; null takes away.",
        "properties": {
            field: _field(described, schemas, made, can_go=field not in schema.get("required", ()))
            for field, described in schema["properties"].items()
            if field not in without
        },
        "additionalProperties": False,
    }


def _field(schema: _Json, schemas: _Json, made: _Json, *, can_go: bool) -> _Json:
    """Without its default, which a client would send along and so set."""
    if "anyOf" in schema:
        forms = [form for form in schema["anyOf"] if form != _NULL]
        about = {key: value for key, value in schema.items() if key not in ("anyOf", "default", "title")}
    else:
        forms = [{key: value for key, value in schema.items() if key not in ("description", "default", "title")}]
        about = {"description": schema["description"]} if "description" in schema else {}
    changed = [_form(form, schemas, made) for form in forms] + ([_NULL] if can_go else [])
    return {**about, **({"anyOf": changed} if len(changed) > 1 else changed[0])}


def _form(schema: _Json, schemas: _Json, made: _Json) -> _Json:
    """Objects are changed by field, maps by entry; all else is replaced whole, lists too."""
    of = target(schema)
    if of is None:
        return schema
    whole = schemas[of]
    name = f"{of}Change"
    entries = whole.get("additionalProperties")
    if "properties" in whole:
        _change(of, name, schemas, made)
    elif isinstance(entries, dict):
        kept = {key: value for key, value in whole.items() if key not in _OF_THE_WHOLE}
        made[name] = {**kept, "title": name, "additionalProperties": _field(entries, schemas, made, can_go=True)}
    else:
        return schema
    return ref(name)
