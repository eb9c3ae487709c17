"""The custom resource definition, as far as it can be judged without an API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jelmore_contract.crd import definition
from jelmore_contract.resource import ClaudeSession, SessionSpec, SessionStatus
from scripts.crd import FILES, crd_text

VERSION = definition()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below, with its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from properties(field, f"{path}.{name}")
    if "items" in schema:
        yield from properties(schema["items"], f"{path}[]")


FIELDS = dict(properties(ROOT))


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-3:]))
def test_the_file_is_what_the_models_say(file: Path) -> None:
    assert file.read_text() == crd_text(), "run `make crd`"


def test_the_text_is_the_definition() -> None:
    assert yaml.safe_load(crd_text()) == definition()


def test_every_field_is_described() -> None:
    undescribed = [path for path, field in FIELDS.items() if path != ".metadata" and not field.get("description")]
    assert undescribed == []


def test_every_field_of_the_spec_has_a_default_or_may_be_absent() -> None:
    filled = SessionSpec().model_dump(mode="json", by_alias=True)
    without = {path for path, field in FIELDS.items() if path.count(".") == 2 and "default" not in field}
    assert {f".spec.{name}" for name, value in filled.items() if value is None} == {
        path for path in without if path.startswith(".spec")
    }


@pytest.mark.parametrize(("name", "model"), [("spec", SessionSpec()), ("status", SessionStatus())])
def test_a_default_is_what_the_model_has(name: str, model: SessionSpec | SessionStatus) -> None:
    """Whole, since an API server checks the rules on a default as it stands."""
    assert FIELDS[f".{name}"]["default"] == model.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_new_object_is_pending() -> None:
    assert FIELDS[".status"]["default"]["state"] == "pending"


def test_texts_lists_and_maps_of_the_spec_are_bounded() -> None:
    """The cost of CEL rules is reckoned from the bounds."""
    bounds = {"string": "maxLength", "array": "maxItems"}
    spec = {path: field for path, field in FIELDS.items() if path.startswith(".spec")}
    unbounded = [
        path
        for path, field in spec.items()
        if "enum" not in field and (bound := bounds.get(field.get("type", ""))) and bound not in field
    ]
    maps = [path for path, field in spec.items() if "additionalProperties" in field and "maxProperties" not in field]
    assert unbounded + maps == []


def test_unknown_fields_are_kept_in_mcp_servers_only() -> None:
    keep = "x-kubernetes-preserve-unknown-fields"
    assert FIELDS[".spec.mcpServers"]["additionalProperties"] == {"type": "object", keep: True}
    assert crd_text().count(keep) == 1


def test_nothing_in_it_that_no_structural_schema_has() -> None:
    text = crd_text()
    for word in ("$ref", "anyOf", "oneOf", "const:", "exclusiveMinimum", "patternProperties", "propertyNames", "title"):
        assert word not in text


def test_every_field_of_the_resource_is_in_it() -> None:
    document = ClaudeSession.model_fields.keys() - {"api_version", "metadata"} | {"apiVersion", "metadata"}
    assert ROOT["properties"].keys() == document


def test_conditions_are_a_map_by_type() -> None:
    conditions = FIELDS[".status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
