"""One release before and after another: docs/decisions/0021-version-skew.md.

What the last release wrote is kept as data, and the schemas by which it read.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from jelmore_contract.agent_config import AgentConfig, left_aside, read_config
from jelmore_contract.crd import definition
from jelmore_contract.report import Report

_RELEASES = Path(__file__).parents[2] / "data" / "releases"
_LAST = max(_RELEASES.iterdir(), key=lambda folder: folder.name if folder.is_dir() else "")
WRITTEN = {"agent-config": AgentConfig, "report": Report}


def kept(name: str) -> bytes:
    return (_LAST / name).read_bytes()


def objects(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every object that a schema describes, and every set of words, by name."""
    return {name: each for name, each in schema["$defs"].items() if "properties" in each or "enum" in each}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_the_last_release_wrote_is_understood(name: str) -> None:
    text = kept(f"{name}.json")
    found = json.loads(msgspec.json.encode(msgspec.json.decode(text, type=WRITTEN[name])))
    # Nothing of it is lost on the way.
    assert {key: found[key] for key in json.loads(text)} == json.loads(text)


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_now_the_last_release_would_understand(name: str) -> None:
    """Fields may come, with a default; none may go, change its type, or come to be required."""
    then = objects(json.loads(kept(f"{name}.schema.json")))
    now = objects(msgspec.json.schema(WRITTEN[name]))
    for described, before in then.items():
        after = now[described]
        assert after.get("required", []) == before.get("required", []), described
        # A word that the last release does not know would cost it the whole message.
        assert after.get("enum") == before.get("enum"), described
        fields = after.get("properties", {})
        assert {field: fields.get(field) for field in before.get("properties", {})} == before.get("properties", {})


def test_settings_of_a_newer_release_are_left_aside_and_named() -> None:
    newer = json.loads(kept("agent-config.json")) | {"ofTheNextRelease": {"a": 1}, "andAnother": None}
    text = json.dumps(newer).encode()
    assert read_config(text) == read_config(kept("agent-config.json"))
    assert left_aside(text) == ["andAnother", "ofTheNextRelease"]
    assert left_aside(kept("agent-config.json")) == []


def schemas(found: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """A schema and all within it, by path."""
    inner = {f".{name}": each for name, each in found.get("properties", {}).items()}
    inner |= {
        f"[{name}]": found[name] for name in ("items", "additionalProperties") if isinstance(found.get(name), dict)
    }
    return {path: found} | {at: each for name, one in inner.items() for at, each in schemas(one, path + name).items()}


def of_definition(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (version,) = document["spec"]["versions"]
    return schemas(version["schema"]["openAPIV3Schema"])


def test_the_definition_suits_operator_and_api_of_the_last_release() -> None:
    """They meet it in an upgrade, until they are replaced, and again where that cannot be done."""
    with tarfile.open(_LAST / "chart.tgz") as chart:
        file = chart.extractfile("jelmore/files/claudesessions.yaml")
        assert file is not None
        then = of_definition(yaml.safe_load(file))
    now = of_definition(definition())
    assert then.keys() <= now.keys()
    for path, before in then.items():
        for rule in ("type", "required", "enum"):
            assert now[path].get(rule) == before.get(rule), (path, rule)
