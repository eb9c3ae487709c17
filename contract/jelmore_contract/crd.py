"""The custom resource definition of `ClaudeSession`, made from the resource's models.

An API server accepts of JSON Schema what it calls structural: no references, no alternatives, one type a field. What
pydantic says otherwise is said anew here, defaults and CEL rules included. Pure: a dictionary of JSON values.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core import core_schema

from jelmore_contract.resource import API_VERSION, KIND, ClaudeSession, ContractModel, Rule

GROUP, VERSION = API_VERSION.split("/")
PLURAL = "claudesessions"

#: Name, type, path and priority (1: only with `-o wide`).
_COLUMNS = (
    ("State", "string", ".status.state", 0),
    ("Waiting-For", "string", ".status.waitingFor.kind", 0),
    ("Model", "string", ".spec.model", 0),
    ("Cost", "number", ".status.usage.costUsd", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Run", "integer", ".status.run", 1),
    ("Pod", "string", ".status.podName", 1),
    ("Message", "string", ".status.message", 1),
)
#: What every object has; of metadata, an API server takes no description.
_ENVELOPE = {
    "apiVersion": {"type": "string", "description": f"Always {API_VERSION}."},
    "kind": {"type": "string", "description": f"Always {KIND}."},
    "metadata": {"type": "object"},
}
_DESCRIPTION = (
    "A Claude Code session: the unmodified CLI in a pod of its own, which says what it does on NATS and takes inputs "
    "from Jelmore's API."
)


def definition() -> dict[str, Any]:
    """The whole object, to be applied to a cluster."""
    schema = ClaudeSession.model_json_schema(schema_generator=_Models)
    root = _structural(schema, schema["$defs"])
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "priority": priority}
            for name, kind, path, priority in _COLUMNS
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": _DESCRIPTION,
                "properties": root["properties"] | _ENVELOPE,
                "x-kubernetes-validations": root["x-kubernetes-validations"],
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["cls"],
                "categories": ["jelmore"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


class _Models(GenerateJsonSchema):
    """JSON Schema with the models' CEL rules, with what default factories make, and without null: an API server
    takes a null for a field that is absent.
    """

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        factory = schema.get("default_factory")
        # None of the models' factories takes the validated data.
        default = factory() if factory else schema.get("default")  # type: ignore[call-arg]
        if isinstance(default, BaseModel):
            # Whole, although the defaults of its own fields would fill {}: the rules are checked on it as it stands.
            return default.model_dump(mode="json", by_alias=True, exclude_none=True)
        return NoDefault if default is None else default

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        model = schema["cls"]
        if issubclass(model, ContractModel) and model.rules:
            json_schema["x-kubernetes-validations"] = [_validation(rule) for rule in model.rules]
        return json_schema


def _validation(rule: Rule) -> dict[str, str]:
    """With the default reason, Invalid, the API server would say `Invalid value: "object"` before the message."""
    validation = {"rule": rule.rule, "message": rule.message, "reason": "FieldValueForbidden"}
    return validation if rule.field is None else validation | {"fieldPath": rule.field}


def _structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for alternatives that an API server cannot have."""
    schema = dict(schema)
    if reference := schema.pop("$ref", None):
        return _structural(definitions[reference.rpartition("/")[2]] | schema, definitions)
    if alternatives := schema.pop("anyOf", None):
        schema |= _integer_or_string(alternatives)
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if schema.get("format") == "uuid":
        schema["maxLength"] = 36
    if properties := schema.get("properties"):
        schema["properties"] = {name: _structural(field, definitions) for name, field in properties.items()}
    if "items" in schema:
        schema["items"] = _structural(schema["items"], definitions)
    schema |= _values(schema.pop("additionalProperties", False), schema.pop("patternProperties", {}), definitions)
    return {key: value for key, value in schema.items() if key not in ("title", "propertyNames", "$defs")}


def _integer_or_string(alternatives: list[dict[str, Any]]) -> dict[str, Any]:
    """A quantity's `anyOf`, as Kubernetes has it: what is said of numbers holds for the integer only."""
    found = {alternative["type"]: alternative for alternative in alternatives}
    if found.keys() != {"integer", "string"}:
        raise ValueError(f"no structural schema has these alternatives: {alternatives}")
    merged = found["integer"] | found["string"]
    del merged["type"]
    return merged | {"x-kubernetes-int-or-string": True}


def _values(additional: Any, patterns: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Of a map; its keys are left to CEL."""
    for value in patterns.values():
        additional = value
    if additional is False:
        return {}
    values = {} if additional is True else _structural(additional, definitions)
    return {"additionalProperties": values} if values else {"x-kubernetes-preserve-unknown-fields": True}
