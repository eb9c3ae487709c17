"""What the API answers with. Fields that this client does not know are kept, so that `--json` shows them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: As the API has its times: `2025-08-06T12:00:00.000Z`.
Moment = Annotated[datetime, PlainSerializer(_rfc3339, when_used="json")]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class WaitingFor(_Answer):
    kind: str
    since: Moment | None = None


class Blocked(_Answer):
    reason: str
    until: Moment | None = None


class Usage(_Answer):
    """What Claude took: of the whole session so far, or of a turn. Input tokens: those from the cache included."""

    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0


class Git(_Answer):
    branch: str | None = None
    commit: str | None = None


class SessionView(_Answer):
    """A session as it stands. `status`: one of SessionState; `spec`: what was asked for."""

    id: str
    status: str
    current_directory: str | None
    created_at: Moment | None
    last_activity: Moment | None
    output_buffer_size: int
    name: str
    namespace: str
    waiting_for: WaitingFor | None = None
    blocked: Blocked | None = None
    run: int = 0
    usage: Usage = Field(default_factory=Usage)
    git: Git | None = None
    message: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict)


class SessionPage(_Answer):
    items: list[SessionView]
    next_cursor: str | None = None


class Approval(_Answer):
    """An open question of Claude. `kind`: approval, question or plan; `input`: what the tool is given."""

    approval_id: str
    kind: str
    tool_name: str
    input: dict[str, Any]
    description: str | None = None
    suggestions: list[dict[str, Any]] | None = None
    requested_at: Moment | None = None


class ApprovalPage(_Answer):
    items: list[Approval]


class Answer(BaseModel):
    """What Claude is told. For the fields see `allow` and `deny`."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["allow", "deny"]
    message: str | None = None
    answers: dict[str, str] | None = None
    updated_input: dict[str, Any] | None = None
    updated_permissions: list[dict[str, Any]] | None = None


def allow(
    *,
    answers: dict[str, str] | None = None,
    updated_input: dict[str, Any] | None = None,
    updated_permissions: list[dict[str, Any]] | None = None,
) -> Answer:
    """Go on. answers: to a question, by its text. updated_input: the tool is given this instead. updated_permissions:
    those of the approval's `suggestions` that hold from now on.
    """
    return Answer(
        decision="allow", answers=answers, updated_input=updated_input, updated_permissions=updated_permissions
    )


def deny(message: str | None = None) -> Answer:
    """Go on without. message: why not, or what to do instead; Claude reads it."""
    return Answer(decision="deny", message=message)


class InputReceipt(_Answer):
    """`state`: one of InputState."""

    input_id: str
    state: str


class TurnResult(BaseModel):
    """How a turn ended. text: what Claude said in the end. usage: of this turn. input_id: what it answered. seq: of its
    last event, for `after`.
    """

    text: str | None
    usage: Usage
    input_id: str | None
    seq: int


class EventPage(_Answer):
    items: list[dict[str, Any]]
    next_after: int


class Diff(_Answer):
    """What the workspace's files are, against the session's start. `patch`: in git's format, not whole where
    `truncated`.
    """

    turn: int
    files: int
    insertions: int
    deletions: int
    truncated: bool
    patch: str


class Dependency(_Answer):
    ok: bool
    message: str | None = None


class Readiness(_Answer):
    """What is there of all that the API needs. `model`: claude, or demo."""

    status: str
    model: str
    dependencies: dict[str, Dependency]


class Alive(_Answer):
    """`version`: of the API; older ones do not tell."""

    version: str | None = None
