"""What a session may be asked to be, as keyword arguments: the fields of the resource's spec, in snake_case.

Types alone: the API checks what is given, and says what is wrong with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class StorageSpec(TypedDict, total=False):
    size: str
    storage_class_name: str | None
    ephemeral: bool


class GitSpec(TypedDict, total=False):
    url: str
    ref: str | None
    depth: int | None
    secret_name: str | None


class CommitsSpec(TypedDict, total=False):
    name: str | None
    email: str | None
    attribution: bool


class WorkspaceSpec(TypedDict, total=False):
    path: str | None
    git: GitSpec | None
    commits: CommitsSpec
    trust_settings: bool
    storage: StorageSpec
    retain: bool


class CredentialsSpec(TypedDict, total=False):
    secret_name: str
    kind: Literal["oauthToken", "apiKey", "gateway"]


class ApprovalsSpec(TypedDict, total=False):
    timeout: str
    on_timeout: Literal["deny"]


class LifecycleSpec(TypedDict, total=False):
    hibernate_after: str
    max_lifetime: str | None
    ttl_after_finished: str | None
    turn_timeout: str | None
    on_interrupted: Literal["continue", "wait"]
    suspend: bool


class BudgetSpec(TypedDict, total=False):
    usd: float | None
    turns: int | None


class DestinationSpec(TypedDict, total=False):
    cidr: str | None
    namespace: str | None
    ports: Sequence[int]


class EgressSpec(TypedDict, total=False):
    allow: Sequence[DestinationSpec]


class SpecChanges(TypedDict, total=False):
    """What can be changed later. Of an object, what is not named stays; None takes a field away."""

    model: str | None
    permission_mode: Literal["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"]
    allowed_tools: Sequence[str]
    disallowed_tools: Sequence[str]
    append_system_prompt: str | None
    mcp_servers: Mapping[str, Mapping[str, Any] | None]
    partial_messages: bool
    credentials: CredentialsSpec | None
    workspace: WorkspaceSpec
    approvals: ApprovalsSpec
    lifecycle: LifecycleSpec
    budget: BudgetSpec
    resources: Mapping[str, Any]
    pod_template: Mapping[str, Any]
    egress: EgressSpec
    labels: Mapping[str, str | None]


class Spec(SpecChanges, total=False):
    """What a session is made from, besides its query."""

    name: str
    namespace: str
    session_id: str
