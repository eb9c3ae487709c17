"""The session resource: `ClaudeSession`, spec and status, with a default for every field (design section 3).

The one source of the REST schemas, of the custom resource definition and of what reconciles: camelCase in the
resource, snake_case in REST, by one alias generator. Everything is bounded, since unbounded lists and strings are
refused by the cost limit of CEL rules.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator, model_validator
from pydantic.alias_generators import to_camel

from jelmore_contract.states import SessionState, WaitingFor

API_VERSION: Literal["jelmore.dev/v1alpha1"] = "jelmore.dev/v1alpha1"
KIND: Literal["ClaudeSession"] = "ClaudeSession"
DEFAULT_NAMESPACE = "default"

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
#: `"30m"`, `"1h30m"`, `"90s"`.
Duration = Annotated[
    str, StringConstraints(pattern=r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", min_length=2, max_length=21)
]
#: A name of any Kubernetes object (a DNS subdomain).
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
#: `"500m"`, `"10Gi"`: an amount as Kubernetes writes it.
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$", max_length=32)]
ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9./]*[a-z0-9])?$", max_length=253)]
ToolRule = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def seconds(duration: str) -> int:
    """`"1h30m"` -> 5400. Raises ValueError for what is no duration."""
    match = _DURATION.fullmatch(duration)
    if not duration or match is None:
        raise ValueError(f"not a duration such as 30m or 1h30m: {duration!r}")
    hours, minutes, secs = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + secs


class PermissionMode(StrEnum):
    """Claude Code's own words."""

    DEFAULT = "default"
    ACCEPT_EDITS = "acceptEdits"
    PLAN = "plan"
    DONT_ASK = "dontAsk"
    BYPASS_PERMISSIONS = "bypassPermissions"


class OnInterrupted(StrEnum):
    """What becomes of a turn that was cut by the loss of its process."""

    CONTINUE = "continue"
    WAIT = "wait"


class ContractModel(BaseModel):
    """camelCase outside, snake_case in Python; unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", use_enum_values=False)


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

    size: Quantity = Field("10Gi", description="What its claim asks for.")
    storage_class_name: ObjectName | None = Field(
        None, description="Its claim's storage class; the cluster's default without it."
    )
    ephemeral: bool = Field(
        False,
        description="Keep nothing beyond the pod: what was not published when it is lost is gone, and so is the "
        "conversation.",
    )


class Resources(ContractModel):
    """Of Claude's container, as Kubernetes has them."""

    requests: dict[ResourceName, Quantity] = Field(
        default_factory=lambda: {"cpu": "100m", "memory": "512Mi"},
        max_length=8,
        description="What it is given at least.",
    )
    limits: dict[ResourceName, Quantity] = Field(
        default_factory=lambda: {"memory": "4Gi"}, max_length=8, description="What it may use at most."
    )


class Toleration(ContractModel):
    """As Kubernetes has it."""

    key: str | None = Field(None, max_length=316)
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = Field(None, max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(None, ge=0)


class PodTemplate(ContractModel):
    """Where a session's pod may run: scheduling and runtime class only, nothing that widens privileges."""

    node_selector: dict[str, str] = Field(
        default_factory=dict, max_length=16, description="Labels that the node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=16, description="Taints of nodes that are put up with."
    )
    runtime_class_name: ObjectName | None = Field(None, description="The container runtime, such as a sandbox.")
    priority_class_name: ObjectName | None = Field(None, description="How the scheduler ranks the pod.")


class Workspace(ContractModel):
    """Where Claude works."""

    path: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="An existing folder, below one of the allowed roots. Without it, a fresh folder a session.",
    )
    trust_settings: bool = Field(
        False,
        description="Read the workspace's own .claude settings and commands, which can redirect credentials.",
    )
    storage: Storage = Field(default_factory=Storage, description="The volume of a session's pod.")

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        if path is not None and (not path.startswith("/") or "\0" in path):
            raise ValueError("must be an absolute path")
        return path


class Approvals(ContractModel):
    """What happens to a question that nobody answers."""

    timeout: Duration = Field("30m", description="How long an approval, a question or a plan waits for its answer.")
    on_timeout: Literal["deny"] = Field("deny", description="What becomes of it then.")


class Lifecycle(ContractModel):
    """When processes come and go."""

    on_interrupted: OnInterrupted = Field(
        OnInterrupted.CONTINUE, description="A turn that was cut is continued by itself, or waits for the next input."
    )
    suspend: bool = Field(False, description="Keep the session without processes until this is false again.")


class SessionSpec(ContractModel):
    """What is asked for."""

    query: str | None = Field(None, min_length=1, max_length=200_000, description="The first input.")
    model: str | None = Field(
        None, min_length=1, max_length=128, description="Model name or alias; Claude Code's default without it."
    )
    permission_mode: PermissionMode = Field(PermissionMode.ACCEPT_EDITS, description="Claude Code's permission mode.")
    allowed_tools: list[ToolRule] = Field(
        default_factory=list, max_length=128, description="Permission rules that allow without asking."
    )
    disallowed_tools: list[ToolRule] = Field(
        default_factory=list, max_length=128, description="Permission rules that deny."
    )
    append_system_prompt: str | None = Field(
        None, max_length=65_536, description="Added to Claude Code's system prompt."
    )
    mcp_servers: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict, max_length=32, description="MCP servers by name, as in Claude Code's --mcp-config."
    )
    partial_messages: bool = Field(False, description="Send partial-message deltas to live streams.")
    credentials: Credentials | None = Field(
        None, description="Of the session's own, in a cluster; the installation's default without them."
    )
    workspace: Workspace = Field(default_factory=Workspace)
    approvals: Approvals = Field(default_factory=Approvals)
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)
    resources: Resources = Field(default_factory=Resources)
    pod_template: PodTemplate = Field(default_factory=PodTemplate)
    session_id: UUID | None = Field(
        None, description="The session's id where a resource is restored; otherwise metadata.uid."
    )

    @field_validator("query")
    @classmethod
    def _not_blank(cls, query: str | None) -> str | None:
        if query is not None and not query.strip():
            raise ValueError("must not be blank")
        return query


class WaitingForStatus(ContractModel):
    kind: WaitingFor
    since: datetime


class UsageStatus(ContractModel):
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0


class GitStatus(ContractModel):
    branch: str | None = None
    commit: str | None = None


class Blocked(ContractModel):
    """What stands in the way of the next prompt, and until when."""

    reason: str
    until: datetime | None = None


class Condition(ContractModel):
    """As Kubernetes has it."""

    type: str = Field(max_length=64)
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(max_length=128)
    message: str = Field("", max_length=4096)
    last_transition_time: datetime


class SessionStatus(ContractModel):
    """What was observed. Written by whoever reconciles."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    state: SessionState = SessionState.PENDING
    waiting_for: WaitingForStatus | None = None
    blocked: Blocked | None = None
    conditions: list[Condition] = Field(default_factory=list, max_length=16)
    run: int = 0
    pod_name: str | None = None
    claude_session_id: str | None = None
    current_directory: str | None = None
    last_activity: datetime | None = None
    usage: UsageStatus = Field(default_factory=UsageStatus)
    git: GitStatus | None = None
    message: str | None = Field(None, max_length=4096)
    observed_generation: int = 0


class Metadata(ContractModel):
    """The part of Kubernetes' object metadata that Jelmore reads; the rest is kept as it is."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    name: Name
    namespace: Name = DEFAULT_NAMESPACE
    uid: UUID
    generation: int = 1
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class ClaudeSession(ContractModel):
    """The resource whole. `session_id` is what names the session everywhere outside Kubernetes."""

    api_version: Literal["jelmore.dev/v1alpha1"] = API_VERSION
    kind: Literal["ClaudeSession"] = KIND
    metadata: Metadata
    spec: SessionSpec = Field(default_factory=SessionSpec)
    status: SessionStatus = Field(default_factory=SessionStatus)

    @property
    def session_id(self) -> str:
        return str(self.spec.session_id or self.metadata.uid)

    def to_document(self) -> dict[str, Any]:
        """The resource as JSON values, camelCase."""
        return self.model_dump(mode="json", by_alias=True)

    @model_validator(mode="after")
    def _ids(self) -> "ClaudeSession":
        if self.spec.session_id is not None and self.spec.session_id.int == 0:
            raise ValueError("sessionId must not be the nil UUID")
        return self
