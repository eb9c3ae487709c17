"""The calls on sessions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import JsonValue

from jelmore_api.auth.access import WithAccess
from jelmore_api.errors import responses
from jelmore_api.services import Services, services
from jelmore_api.sessions.cursors import Cursor
from jelmore_api.sessions.ids import canonical_id
from jelmore_api.sessions.labels import WantedLabel, wanted_labels
from jelmore_api.sessions.repository import Filter
from jelmore_api.sessions.schemas import (
    CreateSession,
    IdempotencyKey,
    InputView,
    SendInput,
    SessionPage,
    SessionView,
)
from jelmore_contract.errors import ProblemType
from jelmore_contract.resource import Name
from jelmore_contract.states import SessionState

router = APIRouter(tags=["sessions"])


async def session_id(
    session_id: Annotated[
        str, Path(description="The session's id, a UUID.", examples=["550e8400-e29b-41d4-a716-446655440000"])
    ],
) -> str:
    """Raises Problem (404) for what cannot be the id of a session."""
    return canonical_id(session_id)


SessionId = Annotated[str, Depends(session_id)]
WithServices = Annotated[Services, Depends(services)]


@router.post(
    "/session",
    status_code=201,
    summary="Create a session",
    response_description="The session; of an earlier request with the same key, as it stands now.",
    responses=responses(
        ProblemType.INVALID_REQUEST, ProblemType.WORKSPACE_NOT_ALLOWED, ProblemType.CONFLICT, ProblemType.TOO_LARGE
    ),
)
async def create_session(
    body: CreateSession,
    response: Response,
    at: WithServices,
    access: WithAccess,
    idempotency_key: Annotated[
        IdempotencyKey | None, Header(description="Sent again with the same key, it is the same session.")
    ] = None,
) -> SessionView:
    """Claude starts at once, in a fresh folder, a volume of its own, or `workspace.path`; with `query`, it starts
    working.
    """
    session = await at.sessions.create(body, idempotency_key, access)
    response.headers["Location"] = f"/api/v1/session/{session.id}"
    return session


@router.get(
    "/session/{session_id}",
    summary="Look at a session",
    response_description="The session as it stands.",
    responses=responses(ProblemType.NOT_FOUND),
)
async def get_session(session_id: SessionId, at: WithServices) -> SessionView:
    """Also one that has ended: its log stays readable for the retention time."""
    return await at.sessions.get(session_id)


@router.get(
    "/sessions",
    summary="List sessions",
    response_description="A page of sessions.",
    responses=responses(ProblemType.INVALID_REQUEST),
)
async def list_sessions(
    at: WithServices,
    access: WithAccess,
    status: Annotated[list[SessionState], Query(description="Only those in this state, or in one of these.")] = [],  # noqa: B006 - as FastAPI has it; nobody changes it
    namespace: Annotated[Name | None, Query(description="Only those of this namespace.")] = None,
    label: Annotated[
        list[WantedLabel],
        Query(max_length=16, description="Only those with this label, as `key=value`; all of them, if several."),
    ] = [],  # noqa: B006 - as FastAPI has it; nobody changes it
    name_prefix: Annotated[
        str, Query(max_length=63, pattern=r"^[^\x00-\x1f]*$", description="Only those whose name begins so.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    cursor: Annotated[Cursor | None, Query(description="`next_cursor` of the page before.")] = None,
) -> SessionPage:
    """Newest first, those that have ended included; in a cluster, those of the namespaces that the caller may list."""
    labels = wanted_labels(label)
    wanted = Filter(status, await access.listable(namespace), labels, name_prefix)
    return await at.sessions.page(wanted, cursor, limit)


@router.patch(
    "/session/{session_id}",
    summary="Change a session",
    response_description="The session with the change.",
    responses=responses(ProblemType.INVALID_REQUEST, ProblemType.NOT_FOUND, ProblemType.SESSION_ENDED),
)
async def change_session(
    session_id: SessionId,
    body: dict[str, JsonValue],
    at: WithServices,
    access: WithAccess,
) -> SessionView:
    """Labels, model, permission mode, `lifecycle`, `approvals`, `egress` and `budget.usd` act at once, most else when
    Claude is started the next time. `query`, `session_id`, `workspace.path` and `workspace.storage` stay as they are.
    The body's type may be `application/merge-patch+json`, too.
    """
    return await at.sessions.change(session_id, body, access)


@router.delete(
    "/session/{session_id}",
    status_code=204,
    summary="End a session",
    response_description="It ends, or has ended before.",
    responses=responses(ProblemType.NOT_FOUND),
)
async def delete_session(session_id: SessionId, at: WithServices) -> None:
    """Claude is ended cleanly, then the session is `terminated`. Its log stays readable. Again, it changes nothing."""
    await at.sessions.delete(session_id)


@router.post(
    "/session/{session_id}/input",
    status_code=202,
    summary="Send a prompt",
    response_description="It is in the log, and runs once.",
    responses=responses(
        ProblemType.INVALID_REQUEST,
        ProblemType.NOT_FOUND,
        ProblemType.SESSION_ENDED,
        ProblemType.CONFLICT,
        ProblemType.TOO_LARGE,
    ),
)
async def send_input(session_id: SessionId, body: SendInput, at: WithServices) -> InputView:
    """Sent while Claude works, it is taken in as soon as Claude can. A hibernated session wakes. The input's states
    follow as events `session.input`. After a lost answer, send it again with the same `idempotency_key`: it runs once.
    """
    return await at.commands.send_input(session_id, body)


@router.post(
    "/session/{session_id}/interrupt",
    status_code=202,
    response_class=Response,
    summary="Stop the turn",
    response_description="Claude is told.",
    responses=responses(ProblemType.NOT_FOUND, ProblemType.SESSION_ENDED),
)
async def interrupt(session_id: SessionId, at: WithServices) -> Response:
    """Claude stops what it is doing; the session goes on. Nothing happens where no turn is running."""
    await at.commands.interrupt(session_id)
    return Response(status_code=202)


@router.post(
    "/session/{session_id}/retry",
    status_code=202,
    summary="Try a failed session again",
    response_description="The session, as yet as it was.",
    responses=responses(ProblemType.NOT_FOUND, ProblemType.SESSION_ENDED, ProblemType.CONFLICT),
)
async def retry(session_id: SessionId, at: WithServices) -> SessionView:
    """What `message` names should be mended first. Its inputs are kept, and run once."""
    return await at.sessions.retry(session_id)
