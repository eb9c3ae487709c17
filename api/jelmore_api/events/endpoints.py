"""The calls on a session's log."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from jelmore_api.auth.recheck import reader_check
from jelmore_api.errors import not_acceptable, responses
from jelmore_api.negotiation import preferred
from jelmore_api.services import Services
from jelmore_api.sessions.endpoints import SessionId, WithServices
from jelmore_api.stream.sse import MEDIA_TYPE, EventsRequest, EventStream
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import Encoding, EventType

router = APIRouter(tags=["events"])


class Event(BaseModel):
    """What happened, as on the bus and on the WebSocket."""

    seq: int = Field(description="Strictly increasing within a session: the one cursor everywhere.")
    id: str = Field(description="The same for the same step, however often it is told.")
    event_type: EventType = Field(description="What `payload` is: the page on events has a table of each.")
    session_id: str = Field(description="Whose log it is of.")
    timestamp: str = Field(description="When it happened, in UTC (RFC 3339).", examples=["2025-08-06T12:00:00.000Z"])
    encoding: Encoding | SkipJsonSchema[None] = Field(
        None,
        description='base64: the payload is {"base64": …}. blob: it is {"blob": name, "size": bytes}.',
    )
    payload: dict[str, object] = Field(description="For session.output the CLI's own line, unchanged.")


class EventPage(BaseModel):
    """Oldest first."""

    items: list[Event] = Field(description="Empty where there is no more yet.")
    next_after: int = Field(description="For `after`, to get what comes next.")


@router.get(
    "/session/{session_id}/events",
    summary="Read the log",
    response_description="A page of events, or a stream of them.",
    response_model=EventPage,
    responses={
        **responses(ProblemType.NOT_FOUND, ProblemType.INVALID_REQUEST, ProblemType.NOT_ACCEPTABLE),
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        204: {"description": "The session has ended with Last-Event-ID: there is nothing to come back for."},
    },
)
async def list_events(
    request: Request,
    session_id: SessionId,
    at: WithServices,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only events with a greater seq.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many; a stream has no limit.")] = 100,
    types: Annotated[list[EventType], Query(description="Only these types; may be given many times.")] = [],  # noqa: B006 - as FastAPI has it; nobody changes it
    last_event_id: Annotated[
        str | None,
        Header(pattern=r"^[0-9]{0,18}$", description="Of a stream that is come back to: counts instead of `after`."),
    ] = None,
) -> Response:
    """Everything that the session said and did, also long after its end.

    With `Accept: text/event-stream` as server-sent events: first what is stored, then `stream.ready`, then what comes,
    and `stream.end` once the session has ended. A stream that ends without it is to be come back to.
    """
    wanted = preferred(request.headers.getlist("accept"), ("application/json", MEDIA_TYPE))
    if wanted is None:
        raise not_acceptable("application/json", MEDIA_TYPE)
    if wanted == MEDIA_TYPE:
        check = reader_check(at.admit, request.headers.getlist("authorization"), session_id)
        return await _stream(at, EventsRequest(await at.sessions.key(session_id), after, types, check), last_event_id)
    frames = await at.events.page(session_id, after, types, limit)
    next_after = frames[-1].seq if frames else after
    # Spliced: payloads go out byte for byte as they came in.
    body = f'{{"items":[{",".join(frame.text for frame in frames)}],"next_after":{next_after}}}'
    return Response(body, media_type="application/json")


async def _stream(at: Services, wanted: EventsRequest, last_event_id: str | None) -> Response:
    request = replace(wanted, after=int(last_event_id)) if last_event_id else wanted
    end = await at.events.check_end(request.key, request.after)
    if last_event_id and end.terminated and end.seq == request.after:
        # What tells an EventSource not to come again.
        return Response(status_code=204)
    return EventStream(at.replay, request, at.streams)


@router.get(
    "/session/{session_id}/blobs/{name}",
    summary="Read a large payload",
    response_class=Response,
    responses={
        **responses(ProblemType.NOT_FOUND),
        200: {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The payload, byte for byte.",
        },
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
