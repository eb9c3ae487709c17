"""The call on what a session changed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from jelmore_api.errors import not_acceptable, responses
from jelmore_api.negotiation import preferred
from jelmore_api.sessions.endpoints import SessionId, WithServices
from jelmore_contract.errors import ProblemType

PATCH_TYPE = "text/x-diff"

router = APIRouter(tags=["events"])


class DiffView(BaseModel):
    """What the workspace's files are, against the session's start."""

    model_config = ConfigDict(title="Diff")

    seq: int = Field(description="Of its event in the log.")
    turn: int = Field(description="The turn that it was made after.")
    files: int = Field(description="Files that differ.")
    insertions: int = Field(description="Lines.")
    deletions: int = Field(description="Lines.")
    truncated: bool = Field(description="Patch and figures leave something out: it was too large or took too long.")
    patch: str = Field(description="In git's format.")


@router.get(
    "/session/{session_id}/diff",
    summary="See what the session changed",
    response_description="The differences, or the patch alone.",
    response_model=DiffView,
    responses={
        **responses(ProblemType.NOT_FOUND, ProblemType.INVALID_REQUEST, ProblemType.NOT_ACCEPTABLE),
        200: {"content": {PATCH_TYPE: {"schema": {"type": "string"}}}},
    },
)
async def get_diff(
    request: Request,
    session_id: SessionId,
    at: WithServices,
    turn: Annotated[
        int | None, Query(ge=1, lt=2**31, description="How things stood after this turn; without: now.")
    ] = None,
) -> Response:
    """The workspace's files against the session's start: all but what `.gitignore` names. With `Accept: text/x-diff`
    the patch alone, for `git apply`. Read from the log, so also while the session sleeps or long after its end.
    """
    wanted = preferred(request.headers.getlist("accept"), ("application/json", PATCH_TYPE))
    if wanted is None:
        raise not_acceptable("application/json", PATCH_TYPE)
    found = await at.diffs.find(session_id, turn)
    if wanted == PATCH_TYPE:
        return Response(found.diff["patch"], media_type=PATCH_TYPE, headers={"X-Content-Type-Options": "nosniff"})
    view = DiffView(seq=found.seq, **found.diff)
    return Response(view.model_dump_json(), media_type="application/json")
