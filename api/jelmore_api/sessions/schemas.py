"""What goes in and out of the calls on sessions. The spec's fields are the resource's own, in snake_case."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from jelmore_api.sessions.labels import Labels
from jelmore_api.sessions.spec_fields import NOT_BLANK, SpecFields
from jelmore_contract.events import rfc3339
from jelmore_contract.resource import Name, SessionSpec
from jelmore_contract.states import InputState, SessionState, WaitingFor

#: As the log has its times.
Moment = Annotated[
    datetime, PlainSerializer(rfc3339, when_used="json"), WithJsonSchema({"type": "string", "format": "date-time"})
]
#: A client's own name for one request, so that sending it again does not do it again.
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CreateSession(SpecFields):
    """A session to be. Every field has a default: `{}` makes an idle session in a fresh folder."""

    model_config = ConfigDict(title="CreateSession")

    name: Name | None = Field(None, description="Unique in its namespace; one is made up without it.")
    namespace: Name | None = Field(
        None, description="Without it, in a cluster the one that Jelmore is in, on one machine `default`."
    )

    labels: Labels = Field(
        default_factory=dict, description="As Kubernetes has them: to find sessions by. Can be changed later."
    )

    def spec(self) -> SessionSpec:
        """As the resource has it."""
        return SessionSpec.model_validate(self.model_dump(exclude={"name", "namespace", "labels"}))


class WaitingForView(BaseModel):
    """For what the session waits, and since when."""

    model_config = ConfigDict(title="Waiting")

    kind: WaitingFor = Field(description="What is asked for. The list of approvals has it.")
    since: Moment | None = Field(None, description="When Claude asked.")


class BlockedView(BaseModel):
    """What stands in the way of the next prompt."""

    model_config = ConfigDict(title="Blocked")

    reason: str = Field(
        description="quota: the account's is used up. budget: the session has used `budget.usd`.", examples=["quota"]
    )
    until: Moment | None = Field(None, description="When it goes on by itself, where that is known.")


class UsageView(BaseModel):
    """Of the whole session so far."""

    model_config = ConfigDict(title="Usage")

    cost_usd: float = Field(0.0, description="US dollars, as Claude Code reckons them.")
    input_tokens: int = Field(0, description="Those from the cache included.")
    output_tokens: int = Field(0, description="Of the model's answers.")
    turns: int = Field(0, description="That have ended.")


class GitView(BaseModel):
    """Where the workspace's repository stands."""

    model_config = ConfigDict(title="GitState")

    branch: str | None = Field(None, description="Null where HEAD is on none.")
    commit: str | None = Field(None, description="The whole hash; null where there is none yet.")


class SessionView(BaseModel):
    """A session as it stands."""

    model_config = ConfigDict(title="Session")

    id: str = Field(
        description="A UUID; the names of two sessions can be the same, one after the other.",
        examples=["550e8400-e29b-41d4-a716-446655440000"],
    )
    status: SessionState = Field(description="Where it stands: see the page on the life of a session.")
    current_directory: str | None = Field(None, description="Where Claude stands; null until it has started once.")
    created_at: Moment | None = Field(None, description="When it was made.")
    last_activity: Moment | None = Field(None, description="Of the last event.")
    output_buffer_size: int = Field(0, description="Output events at hand without reading the log.")
    name: str = Field(description="Unique in its namespace as long as the session is there.")
    namespace: str = Field(description="`default` on one machine.")
    waiting_for: WaitingForView | None = Field(None, description="While status is waiting_input.")
    blocked: BlockedView | None = Field(None, description="While the next prompt would wait.")
    run: int = Field(0, description="How many times the CLI was started.")
    usage: UsageView = Field(default_factory=UsageView, description="What it took so far.")
    git: GitView | None = Field(None, description="Of the workspace; null where it is no repository.")
    message: str | None = Field(None, description="Why it stands so, and what to do, where that needs words.")
    claude_session_id: str | None = Field(None, description="Claude Code's own, of its transcript.")
    labels: dict[str, str] = Field(default_factory=dict, description="Those of others than clients included.")
    spec: SpecFields = Field(default_factory=SpecFields, description="What was asked for, with every default.")


class SessionPage(BaseModel):
    """Newest first."""

    items: list[SessionView] = Field(description="Empty on a page that nothing is on.")
    next_cursor: str | None = Field(None, description="For `cursor`, to get the next page; null on the last one.")


class SendInput(BaseModel):
    """A prompt: `text`, or `content` as the Messages API has it (blocks of text, images, ...)."""

    model_config = ConfigDict(
        title="Input",
        extra="forbid",
        # Not as alternatives, of which generators would make a class each.
        json_schema_extra={
            "not": {
                "anyOf": [
                    {
                        "required": ["text", "content"],
                        "properties": {"text": {"type": "string"}, "content": {"type": "array"}},
                    },
                    {"properties": {"text": {"type": "null"}, "content": {"type": "null"}}},
                ]
            }
        },
    )

    text: str | None = Field(
        None,
        min_length=1,
        json_schema_extra={"pattern": NOT_BLANK},
        description="Either this, not blank, or `content`.",
    )
    content: list[dict[str, Any]] | None = Field(
        None, min_length=1, description='Blocks of the Messages API: `{"type": "text", "text": …}`, images, documents.'
    )
    idempotency_key: IdempotencyKey | None = Field(
        None, description="Sent again with the same key, it is the same input."
    )

    @field_validator("text")
    @classmethod
    def _not_blank(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise PydanticCustomError("blank", "must not be blank")
        return text

    @model_validator(mode="after")
    def _one(self) -> "SendInput":
        if (self.text is None) == (self.content is None):
            raise PydanticCustomError("text_or_content", "give either text or content")
        return self


class InputView(BaseModel):
    """An input as it stands: queued, delivered, started, completed, failed or cancelled."""

    model_config = ConfigDict(title="SentInput")

    input_id: str = Field(description="As in the events `session.input`.")
    state: InputState = Field(description="How far it has come; `queued` for a new one.")
