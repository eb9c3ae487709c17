"""What goes in and out of the calls on approvals."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jelmore_api.sessions.schemas import Moment


class ApprovalView(BaseModel):
    """An open question of Claude."""

    model_config = ConfigDict(title="Approval")

    approval_id: str = Field(description="For the call that answers it.")
    kind: str = Field(description="approval: may a tool be used. question: AskUserQuestion. plan: is this plan right.")
    tool_name: str = Field(description="As Claude Code has it: Bash, Edit, AskUserQuestion, ...")
    input: dict[str, Any] = Field(
        description="What the tool is given; for a question, the questions and their options."
    )
    description: str | None = Field(None, description="What Claude says of it.")
    suggestions: list[Any] | None = Field(None, description="Permission rules that would allow it from now on.")
    tool_use_id: str | None = Field(None, description="Of the block in the output that asks for the tool.")
    requested_at: Moment = Field(description="`approvals.timeout` counts from here.")


class ApprovalPage(BaseModel):
    """Oldest first."""

    items: list[ApprovalView] = Field(description="Empty while Claude waits for nothing.")


class Answer(BaseModel):
    """How to go on."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["allow", "deny"] = Field(description="`allow` for a question, too, with `answers`.")
    message: Annotated[str, Field(max_length=10_000)] | None = Field(None, description="Told to Claude with a denial.")
    answers: dict[str, Any] | None = Field(None, description="For a question: its text -> the answer.")
    updated_input: dict[str, Any] | None = Field(None, description="The tool is given this instead.")
    updated_permissions: list[dict[str, Any]] | None = Field(
        None, description="Those of `suggestions` that hold from now on."
    )
