"""Frames of a session's WebSocket that are no events: what the server says of the stream, what a client sends."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

READY = "stream.ready"
BATCH = "stream.batch"
REPLY = "stream.reply"
#: Over SSE alone, which has no code to close with.
END = "stream.end"

type FrameId = Annotated[str | int, Meta(description="The client's own; the reply has it too. At most 255 characters.")]


class ReadyFrame(TypedDict):
    """All that was stored up to `seq` has been sent; what comes now is live."""

    event_type: Annotated[str, Meta(extra_json_schema={"const": READY})]
    seq: int


class ReplyFrame(TypedDict):
    """The answer to a frame of the client's. Beside these fields stand those of the same call over REST."""

    event_type: Annotated[str, Meta(extra_json_schema={"const": REPLY})]
    ok: bool
    id: NotRequired[FrameId]
    problem: NotRequired[Annotated[dict[str, Any], Meta(description="Where not ok: a problem document (RFC 9457).")]]


class InputFrame(TypedDict):
    """A prompt, as by `POST /session/{id}/input`: either text or content."""

    type: Literal["input"]
    id: NotRequired[FrameId]
    text: NotRequired[Annotated[str, Meta(min_length=1)]]
    content: NotRequired[
        Annotated[list[dict[str, Any]], Meta(min_length=1, description="The Messages API's content blocks.")]
    ]
    idempotency_key: NotRequired[
        Annotated[str, Meta(min_length=1, max_length=255, description="The same key twice is the same input.")]
    ]


class InterruptFrame(TypedDict):
    """Stop the turn."""

    type: Literal["interrupt"]
    id: NotRequired[FrameId]


class AnswerFrame(TypedDict):
    """The answer to an approval, as by `POST /session/{id}/approvals/{approval_id}`."""

    type: Literal["answer"]
    id: NotRequired[FrameId]
    approval_id: str
    decision: Literal["allow", "deny"]
    message: NotRequired[str | None]
    answers: NotRequired[dict[str, Any] | None]
    updated_input: NotRequired[dict[str, Any] | None]
    updated_permissions: NotRequired[list[dict[str, Any]] | None]
