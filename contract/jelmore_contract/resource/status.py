"""The status of a session: what was observed."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from jelmore_contract.resource.fields import ContractModel
from jelmore_contract.states import SessionState, WaitingFor

#: Condition: only there while the session has failed; its time says since when, so that what is asked of it later
#: counts as another try.
STALLED = "Stalled"


class WaitingForStatus(ContractModel):
    kind: WaitingFor = Field(description="An approval, a question, or a plan to approve.")
    since: datetime = Field(description="When Claude asked.")


class UsageStatus(ContractModel):
    cost_usd: float = Field(0.0, description="In US dollars, as Claude Code reckons it.")
    input_tokens: int = Field(0, description="Tokens read by the model.")
    output_tokens: int = Field(0, description="Tokens written by the model.")
    turns: int = Field(0, description="Turns that ended.")


class GitStatus(ContractModel):
    branch: str | None = Field(None, description="The branch that is checked out.")
    commit: str | None = Field(None, description="The commit that is checked out.")


class Blocked(ContractModel):
    """What stands in the way of the next prompt, and until when."""

    reason: str = Field(
        description="budget: the session has used budget.usd, and goes on once that is raised. quota: the account's "
        "limit is reached."
    )
    until: datetime | None = Field(None, description="When it is over by itself.")


class Condition(ContractModel):
    """As Kubernetes has it."""

    type: str = Field(max_length=64, description="What the condition is about, such as Ready or Durable.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(max_length=128, description="Why, in one word.")
    message: str = Field("", max_length=4096, description="Why, and what to do, where that needs words.")
    last_transition_time: datetime = Field(description="When status last changed.")


class SessionStatus(ContractModel):
    """What was observed. Written by whoever reconciles."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    state: SessionState = Field(
        SessionState.PENDING,
        description="pending: accepted, not running yet. active: Claude works. waiting_input: Claude needs an answer, "
        "see waitingFor. idle: the turn is over. hibernated: kept without processes, an input wakes it. failed: "
        "cannot go on, see message. terminated: ended for good.",
    )
    waiting_for: WaitingForStatus | None = Field(None, description="What Claude waits for, in waiting_input.")
    blocked: Blocked | None = Field(None, description="What stands in the way of the next prompt, and until when.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready, AgentConnected, WorkspaceReady, CredentialsReady, Durable, and others while they tell "
        "something.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    run: int = Field(0, description="How many times Claude Code was started.")
    pod_name: str | None = Field(None, description="The pod that Claude runs in.")
    claude_session_id: str | None = Field(None, description="Claude Code's own id of the conversation.")
    current_directory: str | None = Field(None, description="Where Claude stands; absent until it has started once.")
    last_activity: datetime | None = Field(None, description="When the session last said or did something.")
    usage: UsageStatus = Field(default_factory=UsageStatus, description="What the session took so far.")
    git: GitStatus | None = Field(None, description="Where the workspace's repository stands, if it is one.")
    message: str | None = Field(
        None, max_length=4096, description="Why it stands so, and what to do, where that needs words."
    )
    observed_generation: int = Field(0, description="The metadata.generation that this status is about.")
