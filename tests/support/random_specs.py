"""Specs of sessions made from the custom resource definition's own schema, then spoilt in a place or two."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from jelmore_contract.crd import definition

SPEC_SCHEMA: dict[str, Any] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

_WORDS = st.text(max_size=6)
#: Whole numbers come as integers: an API server takes 2.0 for 2, which JSON does not tell apart.
_FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
_SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _FRACTIONS | _WORDS
JUNK: st.SearchStrategy[Any] = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=2), max_leaves=3
)
_KEYS = st.sampled_from(["cpu", "memory", "example.com/gpu", "zone", "RAM", "a b", ""])


def without_nulls(value: Any, schema: dict[str, Any]) -> Any:
    """As an API server takes it: a field that is null is absent, unless nothing is known of it."""
    if isinstance(value, list):
        return [without_nulls(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    fields = schema.get("properties", {})
    others = schema.get("additionalProperties")
    known = {name: fields.get(name, others) for name in value}
    return {
        name: inner if known[name] is None else without_nulls(inner, known[name])
        for name, inner in value.items()
        if inner is not None or known[name] is None
    }


#: Of a range of addresses and of a repository, with and without something wrong.
_CIDR = r"(10|192\.0\.2|300|0?1)(\.[0-9]{1,3}){1,3}/[0-9]{1,2}|[0-9a-f]{0,5}(::?[0-9a-f]{0,5}){1,7}/[0-9]{1,3}"
_URL = r"(https?|ssh)://(git@|-)?[a-z.]{1,8}(:[0-9]{1,6})?/[!-~]{0,9}|git@[a-z.]{1,8}:[!-~]{1,9}"


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(draw(_SPECS))
    for _ in range(draw(st.integers(0, 2))):
        places = list(_places(spec))
        holder, key = places[draw(st.integers(0, len(places) - 1))] if places else (spec, "query")
        if isinstance(holder, dict):
            key = draw(st.sampled_from([key, key, key, "unknown"]))
        holder[key] = draw(JUNK)
    return spec


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place below, as its holder and its key or index."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _by(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What the schema allows; whether the rules do is another matter."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return st.integers(0, 9) | st.from_regex(schema["pattern"], fullmatch=True)
    match schema["type"]:
        case "string":
            return _text(schema)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(_by(schema["items"]), max_size=2)
    if "properties" in schema:
        fields = {name: _by(field) for name, field in schema["properties"].items()}
        required = {name: fields.pop(name) for name in schema.get("required", [])}
        return st.fixed_dictionaries(required, optional=fields)
    if "additionalProperties" in schema:
        return st.dictionaries(_KEYS, _by(schema["additionalProperties"]), max_size=2)
    return st.dictionaries(_WORDS, JUNK, max_size=2)  # preserves unknown fields


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return st.text(min_size=schema.get("minLength", 0), max_size=12)


def _in_a_cluster(schema: dict[str, Any]) -> dict[str, Any]:
    """Without what only the rules of a cluster refuse, which the models must allow."""
    schema = copy.deepcopy(schema)
    workspace = schema["properties"]["workspace"]["properties"]
    del workspace["path"], workspace["trustSettings"]
    # Its form is a rule's, which says what to do, and not the schema's: text at random would never have it.
    workspace["git"]["properties"]["url"]["pattern"] = _URL
    schema["properties"]["egress"]["properties"]["allow"]["items"]["properties"]["cidr"]["pattern"] = _CIDR
    return schema


_SPECS = _by(_in_a_cluster(SPEC_SCHEMA))
