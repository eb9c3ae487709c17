"""What must not change from one release to the next: sessions that are stored are still valid, and no field is gone."""

import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from tests.cluster.images.build import LAST
from tests.support.helm import CHART, ROOT

_DEFINITION = "files/claudesessions.yaml"
#: What may only be wider than before, and whether the new value is.
_WIDER: dict[str, Callable[[Any, Any], bool]] = {
    "maxLength": lambda old, new: new >= old,
    "maxItems": lambda old, new: new >= old,
    "maxProperties": lambda old, new: new >= old,
    "maximum": lambda old, new: new >= old,
    "minLength": lambda old, new: new <= old,
    "minimum": lambda old, new: new <= old,
    "enum": lambda old, new: set(new) >= set(old),
    "pattern": lambda old, new: new == old,
}


def schema(text: bytes) -> dict[str, Any]:
    definition = yaml.load(text, Loader=yaml.CSafeLoader)
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def last_schema() -> dict[str, Any]:
    with tarfile.open(ROOT / "tests" / "data" / "releases" / LAST / "chart.tgz") as chart:
        file = chart.extractfile(f"jelmore/{_DEFINITION}")
        assert file is not None
        return schema(file.read())


def problems(old: dict[str, Any], new: dict[str, Any], path: str = "") -> Iterator[str]:
    """Why something that `old` lets in might not be let in by `new`, or lose something."""
    if old.get("type") != new.get("type"):
        yield f"{path} is of another type"
    for name, wider in _WIDER.items():
        if name in new and (name not in old or not wider(old[name], new[name])):
            yield f"{path}: {name} is narrower"
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        if "default" not in new["properties"][name]:
            yield f"{path}.{name} is required now"
    for name, inner in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name} is gone"
        else:
            yield from problems(inner, new["properties"][name], f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            yield from problems(old[name], new[name], f"{path}[]")


def test_stored_sessions_are_valid_and_keep_every_field() -> None:
    new = schema((CHART / _DEFINITION).read_bytes())
    assert list(problems(last_schema(), new)) == []


def test_what_would_break_them_is_found() -> None:
    old = last_schema()
    new = last_schema()
    properties = new["properties"]["spec"]["properties"]
    del properties["model"]
    properties["query"]["maxLength"] = 1
    properties["permissionMode"]["enum"] = ["plan"]
    properties["suspend"] = {"type": "boolean"}
    new["properties"]["spec"]["required"] = ["suspend"]
    assert sorted(problems(old, new)) == [
        ".spec.model is gone",
        ".spec.permissionMode: enum is narrower",
        ".spec.query: maxLength is narrower",
        ".spec.suspend is required now",
    ]
