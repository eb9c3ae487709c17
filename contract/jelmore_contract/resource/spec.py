"""The spec of a session: what is asked for, with a default for every field."""

from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, field_validator, model_validator

from jelmore_contract.resource.egress import Egress
from jelmore_contract.resource.fields import WHOLE, ContractModel, Duration, Flag, Number, Rule, ToolRule, seconds
from jelmore_contract.resource.git import Commits, Git
from jelmore_contract.resource.pod import Credentials, PodTemplate, Resources, Storage


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


class Workspace(ContractModel):
    """Where Claude works."""

    rules = (
        Rule(
            "!has(self.path)",
            "is for one machine only: leave it out, a session in a cluster has a volume of its own",
            ".path",
        ),
        # Its claim is made once, with the session.
        Rule("self.storage == oldSelf.storage", "cannot be changed: make another session", ".storage"),
        Rule("has(self.git) == has(oldSelf.git)", "cannot be added or taken away: make another session", ".git"),
    )

    path: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="One machine only: an existing folder, below one of the allowed roots. Without it, a fresh folder "
        "a session.",
    )
    git: Git | None = Field(None, description="A repository that is cloned into it before Claude starts.")
    commits: Commits = Field(default_factory=Commits, description="Who is named in commits.")
    trust_settings: Flag = Field(
        False,
        description="Read the workspace's own .claude settings and commands, which can redirect credentials. In a "
        "cluster, only with credentials of kind apiKey or gateway.",
    )
    storage: Storage = Field(
        default_factory=Storage, description="The volume of a session's pod. Cannot be changed later."
    )
    retain: Flag = Field(
        False,
        description="Keep it when the session is deleted: the claim of a pod's volume, or on one machine the fresh "
        "folder. A folder of your own (path) is always kept.",
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        if path is not None and (not path.startswith("/") or "\0" in path):
            raise ValueError("must be an absolute path")
        return path

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.path is not None and self.git is not None:
            raise ValueError("path is an existing folder, git is cloned into a fresh one: leave one of them out")
        return self


class Approvals(ContractModel):
    """What happens to a question that nobody answers."""

    timeout: Duration = Field("30m", description="How long an approval, a question or a plan waits for its answer.")
    on_timeout: Literal["deny"] = Field("deny", description="What becomes of it when nobody answers.")


def _takes_time(field: str) -> Rule:
    return Rule(f"!has(self.{field}) || duration(self.{field}) > duration('0s')", "must be more than 0s", f".{field}")


class Lifecycle(ContractModel):
    """When processes come and go."""

    rules = (_takes_time("maxLifetime"), _takes_time("turnTimeout"))

    hibernate_after: Duration = Field(
        "1h", description="A session that was idle so long, with nothing open, goes on without processes; 0s: never."
    )
    max_lifetime: Duration | None = Field(
        None, description="So long after its creation the session is terminated; never without it."
    )
    ttl_after_finished: Duration | None = Field(
        None, description="So long after it was terminated or failed the resource is deleted; never without it."
    )
    turn_timeout: Duration | None = Field(
        None,
        description="A turn that works longer is interrupted, waiting for people not counted; never without it.",
    )
    on_interrupted: OnInterrupted = Field(
        OnInterrupted.CONTINUE, description="A turn that was cut is continued by itself, or waits for the next input."
    )
    suspend: Flag = Field(False, description="Keep the session without processes until this is false again.")

    @field_validator("max_lifetime", "turn_timeout")
    @classmethod
    def _some_time(cls, duration: str | None) -> str | None:
        if duration is not None and not seconds(duration):
            raise ValueError("must be more than 0s")
        return duration


class Budget(ContractModel):
    """What the session may take."""

    usd: Number | None = Field(
        None,
        ge=0.01,
        le=1_000_000,
        description="US dollars of the whole session, as Claude Code reckons them. What is beyond it waits until it is "
        "raised; no limit without it.",
    )
    turns: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = Field(
        None,
        description="Requests to the model in one turn (Claude Code's --max-turns); no limit without it.",
    )


def _unchanged(field: str) -> str:
    """On the object that has the optional field, since a rule on the field is got round by removing it first."""
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


class SessionSpec(ContractModel):
    """What is asked for."""

    rules = (
        # Not \S alone, which in CEL takes a no-break space for text.
        Rule(
            r"!has(self.query) || self.query.matches('[^\\s\\x0b\\x1c-\\x1f\\x{85}\\p{Z}]')",
            "must not be blank",
            ".query",
        ),
        Rule(_unchanged("query"), "is the first input and cannot be changed: send another input instead", ".query"),
        Rule(
            "!has(self.sessionId) || (self.sessionId != '00000000-0000-0000-0000-000000000000' && "
            "self.sessionId.matches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))",
            "must be a UUID in lower case, and not the nil UUID",
            ".sessionId",
        ),
        Rule(_unchanged("sessionId"), "cannot be changed: make another session", ".sessionId"),
        # The installation's default credentials can be an OAuth token, which no rule here can see.
        Rule(
            "!self.workspace.trustSettings || (has(self.credentials) && self.credentials.kind != 'oauthToken')",
            "needs credentials of kind apiKey or gateway: a repository's own settings can redirect an OAuth token",
            ".workspace.trustSettings",
        ),
    )

    query: str | None = Field(
        None, min_length=1, max_length=200_000, description="The first input. Cannot be changed later."
    )
    model: str | None = Field(
        None, min_length=1, max_length=128, description="Model name or alias; Claude Code's default without it."
    )
    permission_mode: PermissionMode = Field(
        PermissionMode.ACCEPT_EDITS, description="What Claude does without asking, in Claude Code's own words."
    )
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
    partial_messages: Flag = Field(False, description="Send partial-message deltas to live streams.")
    credentials: Credentials | None = Field(
        None, description="Of the session's own, in a cluster; the installation's default without them."
    )
    workspace: Workspace = Field(default_factory=Workspace, description="Where Claude works.")
    approvals: Approvals = Field(
        default_factory=Approvals, description="What happens to a question that nobody answers."
    )
    lifecycle: Lifecycle = Field(default_factory=Lifecycle, description="When processes come and go.")
    budget: Budget = Field(default_factory=Budget, description="What the session may take.")
    resources: Resources = Field(
        default_factory=Resources, description="Of Claude's container, as Kubernetes has them."
    )
    pod_template: PodTemplate = Field(
        default_factory=PodTemplate, description="Where a session's pod may run: scheduling and runtime class only."
    )
    egress: Egress = Field(
        default_factory=Egress, description="In a cluster: what the session's pod may reach besides what all may."
    )
    session_id: UUID | None = Field(
        None,
        description="The session's id where a resource is restored; otherwise metadata.uid. Cannot be changed later.",
    )

    def secret_names(self) -> list[str]:
        """Of the Secrets that the session would use."""
        git = self.workspace.git
        named = (self.credentials.secret_name if self.credentials else None, git.secret_name if git else None)
        return [name for name in named if name is not None]

    @field_validator("query")
    @classmethod
    def _not_blank(cls, query: str | None) -> str | None:
        if query is not None and not query.strip():
            raise ValueError("must not be blank")
        return query
