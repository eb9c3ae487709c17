"""What goes in and out of the calls on approvals."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jelmore_api.sessions.schemas import Moment


class ApprovalView(BaseModel):
    """An open question of Claude."""

    model_config = ConfigDict(title="Approval")

    approval_id: str
    kind: str = Field(description="approval: may a tool be used. question: AskUserQuestion. plan: is this plan right.")
    tool_name: str
    input: dict[str, Any] = Field(
        description="What the tool is given; for a question, the questions and their options."
    )
    description: str | None = None
    suggestions: list[Any] | None = Field(None, description="Permission rules that would allow it from now on.")
    tool_use_id: str | None = None
    requested_at: Moment


class ApprovalPage(BaseModel):
    """Oldest first."""

    items: list[ApprovalView]


class Answer(BaseModel):
    """How to go on."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["allow", "deny"]
    message: Annotated[str, Field(max_length=10_000)] | None = Field(None, description="Told to Claude with a denial.")
    answers: dict[str, Any] | None = Field(None, description="For a question: its text -> the answer.")
    updated_input: dict[str, Any] | None = Field(None, description="The tool is given this instead.")
    updated_permissions: list[dict[str, Any]] | None = Field(
        None, description="Those of `suggestions` that hold from now on."
    )
