"""What the API answers with. Fields that this client does not know are kept, so that `--json` shows them."""

from datetime import UTC, datetime
from typing import Annotated, Any

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
    """Of the whole session so far."""

    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0


class Git(_Answer):
    branch: str | None = None
    commit: str | None = None


class Session(_Answer):
    """A session as it stands. `status`: one of jelmore_contract.states.SessionState; `spec`: what was asked for."""

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
    spec: dict[str, Any] = Field(default_factory=dict)


class SessionPage(_Answer):
    items: list[Session]
    next_cursor: str | None = None


class Approval(_Answer):
    """An open question of Claude. `kind`: approval, question or plan; `input`: what the tool is given."""

    approval_id: str
    kind: str
    tool_name: str
    input: dict[str, Any]
    description: str | None = None
    requested_at: Moment | None = None


class ApprovalPage(_Answer):
    items: list[Approval]


class InputReceipt(_Answer):
    """`state`: one of jelmore_contract.states.InputState."""

    input_id: str
    state: str


class EventPage(_Answer):
    items: list[dict[str, Any]]
    next_after: int
