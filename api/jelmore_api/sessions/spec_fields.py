"""The resource's spec as REST has it: the same fields in snake_case, and for the description what the models check
beyond their schema.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from jelmore_contract.resource import (
    CIDR_PATTERN,
    SSH_URL,
    URL_SCHEMA,
    Approvals,
    Budget,
    Commits,
    ContractModel,
    Credentials,
    Destination,
    Egress,
    Git,
    Lifecycle,
    PodTemplate,
    SessionSpec,
    Storage,
    Toleration,
    Workspace,
)

type _Schema = dict[str, Any]

#: More than `\S` says: what Python takes for blank.
NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
#: Of an amount or a duration.
_NOT_ZERO = {"pattern": "[1-9]", "not": {"const": 0}}
_SOME_TIME = {"pattern": "[1-9]"}
_NIL = "00000000-0000-0000-0000-000000000000"


def _as_it_is(name: str) -> str:
    """The alias generator of REST: the resource's is camelCase."""
    return name


def _as(
    of: type[ContractModel], exact: Mapping[str, _Schema] | None = None, rules: _Schema | None = None
) -> ConfigDict:
    """Described as `of` is. exact: what the description says more of a field; rules: of several together."""

    def extend(schema: _Schema) -> None:
        schema.setdefault("description", of.__doc__)
        for field, about in of.model_fields.items():
            schema["properties"][field].setdefault("description", about.description)
        for field, more in (exact or {}).items():
            schema["properties"][field].update(more)
        schema.update(rules or {})

    title = of.__name__.removeprefix("Session")
    return ConfigDict(alias_generator=_as_it_is, populate_by_name=True, title=title, json_schema_extra=extend)


def _given(**fields: _Schema) -> _Schema:
    """That all of these fields are there, and so."""
    return {"required": list(fields), "properties": fields}


class StorageFields(Storage):
    model_config = _as(Storage, {"size": _NOT_ZERO})


class GitFields(Git):
    model_config = _as(
        Git,
        {"url": URL_SCHEMA},
        {"if": _given(url={"pattern": SSH_URL}), "then": _given(secret_name={"type": "string"})},
    )


class CommitsFields(Commits):
    model_config = _as(Commits)


class WorkspaceFields(Workspace):
    model_config = _as(
        Workspace,
        {"path": {"pattern": r"^/[^\x00]*$"}},
        {"not": _given(path={"type": "string"}, git={"type": "object"})},
    )

    git: GitFields | None = None
    commits: CommitsFields = Field(default_factory=CommitsFields)
    storage: StorageFields = Field(default_factory=StorageFields)


class CredentialsFields(Credentials):
    model_config = _as(Credentials)


class ApprovalsFields(Approvals):
    model_config = _as(Approvals)


class LifecycleFields(Lifecycle):
    model_config = _as(Lifecycle, {"max_lifetime": _SOME_TIME, "turn_timeout": _SOME_TIME})


class BudgetFields(Budget):
    model_config = _as(Budget)


class DestinationFields(Destination):
    model_config = _as(
        Destination,
        {"cidr": {"pattern": CIDR_PATTERN}},
        {
            "not": {
                "anyOf": [
                    _given(cidr={"type": "string"}, namespace={"type": "string"}),
                    {"properties": {"cidr": {"type": "null"}, "namespace": {"type": "null"}}},
                ]
            }
        },
    )


class EgressFields(Egress):
    model_config = _as(Egress)

    allow: list[DestinationFields] = Field(  # type: ignore[assignment]  # the same fields, described
        default_factory=list, max_length=16
    )


class TolerationFields(Toleration):
    model_config = _as(
        Toleration,
        rules={
            "not": {
                "anyOf": [
                    {"properties": {"key": {"type": "null"}, "operator": {"const": "Equal"}}},
                    _given(value={"type": "string"}, operator={"const": "Exists"}),
                    {
                        "required": ["toleration_seconds"],
                        "properties": {
                            "toleration_seconds": {"type": "integer"},
                            "effect": {"not": {"const": "NoExecute"}},
                        },
                    },
                ]
            }
        },
    )


class PodTemplateFields(PodTemplate):
    model_config = _as(PodTemplate)

    tolerations: list[TolerationFields] = Field(  # type: ignore[assignment]  # the same fields under other names
        default_factory=list, max_length=16
    )


class SpecFields(SessionSpec):
    """The resource's spec."""

    model_config = _as(SessionSpec, {"query": {"pattern": NOT_BLANK}, "session_id": {"not": {"const": _NIL}}})

    credentials: CredentialsFields | None = None
    workspace: WorkspaceFields = Field(default_factory=WorkspaceFields)
    approvals: ApprovalsFields = Field(default_factory=ApprovalsFields)
    lifecycle: LifecycleFields = Field(default_factory=LifecycleFields)
    budget: BudgetFields = Field(default_factory=BudgetFields)
    egress: EgressFields = Field(default_factory=EgressFields)
    pod_template: PodTemplateFields = Field(default_factory=PodTemplateFields)
