"""Random commands, from the AsyncAPI document: as it says, and as it does not."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from jelmore_contract.asyncapi import document
from jelmore_contract.commands import CommandKind

type Json = dict[str, Any]

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def draw[T](strategy: SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many values; the same number gives the same ones."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


def valid_command(kind: CommandKind, session_id: str) -> SearchStrategy[Json]:
    """What the document says that a command to this session can be."""
    schemas = document()["components"]["schemas"]
    schema = _inlined(schemas[f"Command{kind.capitalize()}"], schemas)
    schema["properties"]["session_id"] = {"const": session_id}
    return _values(schema)


def any_valid_command(session_id: str) -> SearchStrategy[tuple[str, bytes]]:
    """Kind and body."""
    return st.sampled_from(list(CommandKind)).flatmap(
        lambda kind: valid_command(kind, session_id).map(lambda body: (str(kind), _bytes(body)))
    )


def changed_command(session_id: str) -> SearchStrategy[tuple[str, bytes]]:
    """Kind and body of a valid command with one thing changed; it may be valid still."""
    return st.sampled_from(list(CommandKind)).flatmap(
        lambda kind: st.builds(
            lambda body, change: (str(kind), change(body)), valid_command(kind, session_id), _changes()
        )
    )


def _changes() -> SearchStrategy[Any]:
    place, value = st.integers(0, 40), _JSON
    return st.one_of(
        st.builds(lambda n: lambda body: _bytes(_edited(body, n, None, drop=True)), place),
        st.builds(lambda n, v: lambda body: _bytes(_edited(body, n, v, drop=False)), place, value),
        st.builds(lambda name, v: lambda body: _bytes({**body, name: v}), st.text(max_size=8), value),
        st.builds(lambda name, v: lambda body: _bytes(_in_payload(body, name, v)), st.text(max_size=8), value),
        st.builds(lambda n: lambda body: _bytes(body)[: n * 7], place),
        st.builds(lambda n, b: lambda body: _spliced(_bytes(body), n * 7, b), place, st.binary(min_size=1, max_size=3)),
        st.builds(lambda b: lambda _: b, st.binary(max_size=50)),
        st.builds(lambda v: lambda _: _bytes(v), value),
        st.builds(lambda n: lambda body: _bytes(_in_payload(body, "content", [{"a": _deep(n * 500)}])), place),
    )


def _inlined(node: Any, schemas: Json) -> Any:
    if isinstance(node, list):
        return [_inlined(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(schemas[node["$ref"].rpartition("/")[2]], schemas)
    return {name: _inlined(value, schemas) for name, value in node.items()}


def _values(schema: Json) -> SearchStrategy[Any]:  # noqa: C901 - one case a keyword
    """What a schema lets pass, as far as the commands' schemas go."""
    match schema:
        case {"const": value}:
            return st.just(value)
        case {"enum": list(values)}:
            return st.sampled_from(values)
        case {"anyOf": list(forms)}:
            return st.one_of([_values(form) for form in forms])
        case {"allOf": [form]}:
            return _values(form)
        case {"type": "string", "format": "uuid"}:
            return st.uuids().map(str)
        case {"type": "string", "pattern": r"\S"}:
            return st.text(min_size=1).filter(str.strip)
        case {"type": "string"}:
            return st.text()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case {"type": "number"}:
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
        case {"type": "array"}:
            return st.lists(_values(schema.get("items", {})), min_size=schema.get("minItems", 0), max_size=5)
        case {"type": "object", "properties": dict(properties)}:
            required = schema.get("required", ())
            fields = {name: _values(field) for name, field in properties.items()}
            return st.fixed_dictionaries(
                {name: fields[name] for name in required},
                optional={name: field for name, field in fields.items() if name not in required},
            )
        case {"type": "object"}:
            return st.dictionaries(st.text(max_size=10), _JSON, max_size=4)
        case _:
            assert not schema.keys() - {"description"}, f"not known yet: {schema}"
            return _JSON


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _edited(body: Json, place: int, value: object, *, drop: bool) -> Json:
    """With one of its fields, or of its payload's, gone or replaced."""
    changed = copy.deepcopy(body)
    spots = [(changed, name) for name in changed]
    if isinstance(changed["payload"], dict):
        spots += [(changed["payload"], name) for name in changed["payload"]]
    holder, name = spots[place % len(spots)]
    if drop:
        del holder[name]
    else:
        holder[name] = value
    return changed


def _in_payload(body: Json, name: str, value: object) -> Json:
    return {**body, "payload": {**body["payload"], name: value}}


def _spliced(data: bytes, at: int, more: bytes) -> bytes:
    at %= len(data)
    return data[:at] + more + data[at + len(more) :]


def _deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(min(levels, 600)):
        value = [value]
    return value
