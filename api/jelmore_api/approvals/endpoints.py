"""The calls on approvals."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from jelmore_api.approvals.schemas import Answer, ApprovalPage
from jelmore_api.errors import responses
from jelmore_api.sessions.endpoints import SessionId, WithServices
from jelmore_contract.errors import ProblemType

router = APIRouter(tags=["approvals"])


@router.get(
    "/session/{session_id}/approvals",
    summary="List what Claude asks",
    response_description="What waits for an answer.",
    responses=responses(ProblemType.NOT_FOUND),
)
async def list_approvals(session_id: SessionId, at: WithServices) -> ApprovalPage:
    """Approvals, questions and plans that wait for an answer. Unanswered, they are denied after `approvals.timeout`."""
    return await at.approvals.open(session_id)


@router.post(
    "/session/{session_id}/approvals/{approval_id}",
    status_code=202,
    response_class=Response,
    summary="Answer Claude",
    response_description="The answer is in the log.",
    responses=responses(
        ProblemType.INVALID_REQUEST, ProblemType.NOT_FOUND, ProblemType.CONFLICT, ProblemType.SESSION_ENDED
    ),
)
async def answer_approval(
    session_id: SessionId,
    approval_id: Annotated[
        str, Path(max_length=256, description="From the list or from `session.approval_requested`.")
    ],
    body: Answer,
    at: WithServices,
) -> Response:
    """The turn goes on as soon as Claude has it; `session.approval_resolved` tells. The first answer counts: another
    one after it is refused (409), the same one again is not.
    """
    await at.approvals.answer(session_id, approval_id, body)
    return Response(status_code=202)
