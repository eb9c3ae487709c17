"""The calls on a session's log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from jelmore_api.errors import responses
from jelmore_api.sessions.endpoints import SessionId, WithServices
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import EventType

router = APIRouter(tags=["events"])


class Event(BaseModel):
    """What happened, as on the bus and on the WebSocket."""

    seq: int = Field(description="Strictly increasing within a session: the one cursor everywhere.")
    id: str
    event_type: EventType
    session_id: str
    timestamp: str = Field(examples=["2025-08-06T12:00:00.000Z"])
    encoding: str | None = Field(
        None,
        description='base64: the payload is {"base64": …}. blob: it is {"blob": name, "size": bytes}.',
    )
    payload: dict[str, object] = Field(description="For session.output the CLI's own line, unchanged.")


class EventPage(BaseModel):
    """Oldest first."""

    items: list[Event]
    next_after: int = Field(description="For `after`, to get what comes next.")


@router.get(
    "/session/{session_id}/events",
    summary="Read the log",
    response_model=EventPage,
    responses=responses(ProblemType.NOT_FOUND, ProblemType.INVALID_REQUEST),
)
async def list_events(
    session_id: SessionId,
    at: WithServices,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only events with a greater seq.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    types: Annotated[list[EventType], Query(description="Only these types; may be given many times.")] = [],  # noqa: B006
) -> Response:
    """Everything that the session said and did, also long after its end. To follow it live, use the WebSocket."""
    frames = await at.events.page(session_id, after, types, limit)
    next_after = frames[-1].seq if frames else after
    # Spliced: payloads go out byte for byte as they came in.
    body = f'{{"items":[{",".join(frame.text for frame in frames)}],"next_after":{next_after}}}'
    return Response(body, media_type="application/json")


@router.get(
    "/session/{session_id}/blobs/{name}",
    summary="Read a large payload",
    response_class=Response,
    responses={
        **responses(ProblemType.NOT_FOUND),
        200: {"content": {"application/octet-stream": {}}, "description": "The payload, byte for byte."},
    },
)
async def get_blob(
    session_id: SessionId,
    name: Annotated[str, Path(max_length=128, description="As the event's payload names it.")],
    at: WithServices,
) -> Response:
    """A payload that was too large for its event."""
    body = await at.events.blob(session_id, name)
    return Response(body, media_type="application/octet-stream", headers={"X-Content-Type-Options": "nosniff"})
