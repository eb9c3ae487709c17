"""Schemas as a client's generator wants them: each with a name of its own, and no less said than is so."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

type _Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_JSON_OBJECT: _Json = {"title": "JsonObject", "type": "object", "additionalProperties": True, "description": "Any."}
_ANYTHING = (True, {"$ref": f"{_PREFIX}JsonValue"})
#: Whose fields are the resource's own: what they are called goes without the schema's name.
_RESOURCE = {"Spec", "CreateSession"}
#: Beside what a schema says, what its field says of it.
_ABOUT = ("description", "default", "examples")
#: The one field of an answer that is not there where it says nothing: events go out as they came in.
_LEFT_OUT = {("Event", "encoding")}


def ref(name: str) -> _Json:
    return {"$ref": _PREFIX + name}


def target(schema: _Json) -> str | None:
    """The name that it refers to."""
    return str(schema["$ref"]).removeprefix(_PREFIX) if "$ref" in schema else None


def rename(document: _Json) -> _Json:
    """With schemas under their titles."""
    schemas: _Json = document["components"]["schemas"]
    titles = [schema.get("title", name) for name, schema in schemas.items()]
    names = {
        name: schema["title"]
        for name, schema in schemas.items()
        if schema.get("title", "").isidentifier() and titles.count(schema["title"]) == 1
    }
    text = json.dumps(document)
    for name, title in names.items():
        text = text.replace(f'"{_PREFIX}{name}"', f'"{_PREFIX}{title}"')
    renamed: _Json = json.loads(text)
    renamed["components"]["schemas"] = {
        names.get(name, name): schema for name, schema in renamed["components"]["schemas"].items()
    }
    return renamed


def with_names(schemas: _Json) -> _Json:
    """With maps and enumerations that stand within others beside them, under names made of those and the field's; one
    name for whatever JSON object.
    """
    named: _Json = {"JsonObject": _JSON_OBJECT}
    found: _Json = {}
    for name, schema in schemas.items():
        prefix = "" if name in _RESOURCE else name
        properties = {
            field: _named(described, prefix + _camel(field), named)
            for field, described in schema.get("properties", {}).items()
        }
        found[name] = {**schema, "properties": properties} if properties else schema
    assert not named.keys() & found.keys(), "two schemas of one name"
    return {**found, **named}


def _camel(field: str) -> str:
    return "".join(word.capitalize() for word in field.split("_"))


def _named(schema: _Json, name: str, named: _Json) -> _Json:
    if "anyOf" in schema:
        return {**schema, "anyOf": [_named(form, name, named) for form in schema["anyOf"]]}
    if "items" in schema:
        return {**schema, "items": _named(schema["items"], f"{name}Item", named)}
    about = {key: schema[key] for key in _ABOUT if key in schema}
    bare = {key: value for key, value in schema.items() if key not in (*_ABOUT, "title")}
    if any(bare == {"type": "object", "additionalProperties": anything} for anything in _ANYTHING):
        return {**ref("JsonObject"), **about}
    if bare.get("type") == "object":
        bare = _map(bare)
        bare["additionalProperties"] = _named(bare["additionalProperties"], f"{name}Value", named)
    elif "enum" not in bare:
        return schema
    assert named.setdefault(name, {"title": name, **bare}) == {"title": name, **bare}, f"two schemas named {name}"
    return {**ref(name), **about}


def _map(schema: _Json) -> _Json:
    """With the pattern of its names as such: other names are refused."""
    if "patternProperties" not in schema:
        return schema
    ((pattern, value),) = schema["patternProperties"].items()
    rest = {key: said for key, said in schema.items() if key not in ("patternProperties", "propertyNames")}
    names = {**schema.get("propertyNames", {}), "pattern": pattern}
    return {**rest, "propertyNames": names, "additionalProperties": value}


def answered_whole(schemas: _Json, paths: Mapping[str, _Json]) -> _Json:
    """With every field required of what is answered only: none is ever left out."""
    calls = [call for calls in paths.values() for call in calls.values()]
    sent = _reached([call.get("requestBody", {}) for call in calls], schemas)
    answered = _reached([call["responses"] for call in calls], schemas) - sent
    return {
        name: _whole(name, schema) if name in answered and "properties" in schema else schema
        for name, schema in schemas.items()
    }


def _whole(name: str, schema: _Json) -> _Json:
    fields = {
        field: {key: value for key, value in described.items() if key != "default"}
        for field, described in schema["properties"].items()
    }
    return {**schema, "properties": fields, "required": [field for field in fields if (name, field) not in _LEFT_OUT]}


def _reached(described: Any, schemas: _Json) -> set[str]:
    found: set[str] = set()
    waiting = list(_referred(described))
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found.add(name)
            waiting += _referred(schemas[name])
    return found


def _referred(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if (name := target(node)) is not None:
            yield name
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _referred(each)
