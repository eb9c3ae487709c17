"""What a session's pod is made of: credentials, volume, resources, and where it may run."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from jelmore_contract.resource.fields import WHOLE, ContractModel, Flag, ObjectName, Quantity, Rule, amount

_RESOURCE_NAME = (
    r"^(cpu|memory|ephemeral-storage|[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$"
)
ResourceName = Annotated[str, StringConstraints(pattern=_RESOURCE_NAME, max_length=317)]
#: Of a label: `zone`, `example.com/zone`.
_LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
LabelKey = Annotated[str, StringConstraints(pattern=_LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]


class CredentialsKind(StrEnum):
    """What the Secret holds, under the key of the same name (a gateway's: `token` and `baseUrl`)."""

    OAUTH_TOKEN = "oauthToken"  # noqa: S105 - the name of a key
    API_KEY = "apiKey"
    GATEWAY = "gateway"


class Credentials(ContractModel):
    """Where a pod's credentials for the model come from."""

    secret_name: ObjectName = Field(description="A Secret in the session's namespace.")
    kind: CredentialsKind = Field(
        CredentialsKind.OAUTH_TOKEN,
        description="oauthToken: a personal account's token (key oauthToken). apiKey: key apiKey. "
        "gateway: keys token and baseUrl.",
    )


class Storage(ContractModel):
    """The volume that keeps workspace, transcript and spool of a session's pod."""

    rules = (
        Rule("quantity(string(self.size)).isGreaterThan(quantity('0'))", "must be more than 0, such as 10Gi", ".size"),
    )

    size: Quantity = Field("10Gi", description="What its claim asks for.")
    storage_class_name: ObjectName | None = Field(
        None, description="Its claim's storage class; the cluster's default without it."
    )
    ephemeral: Flag = Field(
        False,
        description="Keep nothing beyond the pod: what was not published when it is lost is gone, and so is the "
        "conversation.",
    )

    @field_validator("size")
    @classmethod
    def _something(cls, size: str) -> str:
        if not amount(size):
            raise ValueError("must be more than 0, such as 10Gi")
        return size


def _named_as_kubernetes_does(field: str) -> Rule:
    """A structural schema says nothing of keys."""
    return Rule(
        f"self.{field}.all(name, size(name) <= 317 && name.matches('{_RESOURCE_NAME}'))",
        "must name cpu, memory, ephemeral-storage, or what a node offers beside them, such as example.com/gpu",
        f".{field}",
    )


class Resources(ContractModel):
    """Of Claude's container, as Kubernetes has them."""

    rules = (
        _named_as_kubernetes_does("requests"),
        _named_as_kubernetes_does("limits"),
        Rule(
            "self.requests.all(name, !(name in self.limits) || "
            "!quantity(string(self.requests[name])).isGreaterThan(quantity(string(self.limits[name]))))",
            "must not be more than limits, which has memory: 4Gi unless it is given",
            ".requests",
        ),
    )

    requests: dict[ResourceName, Quantity] = Field(
        default_factory=lambda: {"cpu": "100m", "memory": "512Mi"},
        max_length=8,
        description="What it is given at least.",
    )
    limits: dict[ResourceName, Quantity] = Field(
        default_factory=lambda: {"memory": "4Gi"}, max_length=8, description="What it may use at most."
    )

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        for name, quantity in self.requests.items():
            if name in self.limits and amount(quantity) > amount(self.limits[name]):
                raise ValueError(f"requests {quantity} of {name}, which is more than its limit, {self.limits[name]}")
        return self


class Toleration(ContractModel):
    """As Kubernetes has it."""

    rules = (
        Rule("has(self.key) || self.operator == 'Exists'", "without a key, operator must be Exists", ".operator"),
        Rule("!has(self.value) || self.operator == 'Equal'", "goes with operator Equal only", ".value"),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "goes with effect NoExecute only",
            ".tolerationSeconds",
        ),
    )

    key: LabelKey | None = Field(None, description="Of the taint; every taint without it.")
    operator: Literal["Exists", "Equal"] = Field(
        "Equal", description="Whether the taint must have the value, or only be there."
    )
    value: LabelValue | None = Field(None, description="Of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Of the taint; every effect without it."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] | None = Field(
        None, description="How long the pod stays on such a node; for good without it."
    )

    @model_validator(mode="after")
    def _as_kubernetes_has_it(self) -> Self:
        if self.key is None and self.operator != "Exists":
            raise ValueError("without a key, the operator must be Exists")
        if self.value is not None and self.operator != "Equal":
            raise ValueError("a value goes with the operator Equal only")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds go with the effect NoExecute only")
        return self


class PodTemplate(ContractModel):
    """Where a session's pod may run: scheduling and runtime class only, nothing that widens privileges."""

    rules = (
        Rule(
            f"self.nodeSelector.all(key, size(key) <= 317 && key.matches('{_LABEL_KEY}'))",
            "must name labels as Kubernetes does, such as example.com/zone",
            ".nodeSelector",
        ),
    )

    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=16, description="Labels that the node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=16, description="Taints of nodes that are put up with."
    )
    runtime_class_name: ObjectName | None = Field(None, description="The container runtime, such as a sandbox.")
    priority_class_name: ObjectName | None = Field(None, description="How the scheduler ranks the pod.")
