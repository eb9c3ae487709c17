"""Open approvals, and their answers. The projections are some milliseconds behind: the rest is read from the log."""

import json
from typing import NamedTuple

from pydantic import ValidationError

from jelmore_api.approvals.repository import ApprovalRepository
from jelmore_api.approvals.schemas import Answer, ApprovalPage, ApprovalView
from jelmore_api.bus import Bus
from jelmore_api.errors import Problem
from jelmore_api.sessions.commands import Commands
from jelmore_api.sessions.service import SessionService
from jelmore_contract.commands import AnswerCommand, CommandKind
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import EventType, decode_event
from jelmore_contract.states import Decision
from jelmore_contract.subjects import SessionKey, event_subject


class _Told(NamedTuple):
    """An event: a question, or, without a request, its end."""

    seq: int
    approval_id: str
    request: str | None
    at: str


class ApprovalService:
    """Every method raises Problem."""

    def __init__(self, bus: Bus, repository: ApprovalRepository, sessions: SessionService, commands: Commands) -> None:
        self._bus = bus
        self._repository = repository
        self._sessions = sessions
        self._commands = commands

    async def open(self, session_id: str) -> ApprovalPage:
        key = await self._sessions.key(session_id)
        position = await self._repository.position()
        rows = await self._repository.open(session_id)
        views = {row["approval_id"]: _view(row["request"], row["requested_at"]) for row in rows}
        for told in await self._told_after(key, position):
            if told.request is None:
                views.pop(told.approval_id, None)
            else:
                views[told.approval_id] = _view(told.request, told.at)
        return ApprovalPage(items=[view for view in views.values() if view])

    async def answer(self, session_id: str, approval_id: str, answer: Answer) -> None:
        """The first answer counts; the same one again is no error."""
        key = await self._commands.open_session(session_id)
        asked_at = await self._open_since(key, approval_id)
        command = AnswerCommand(
            approval_id,
            Decision(answer.decision),
            answer.message,
            answer.answers,
            answer.updated_input,
            answer.updated_permissions,
        )
        # The place of the question is part of the id: the same question asked again wants an answer again.
        stored = await self._commands.publish(key, command, f"{approval_id}/{asked_at}")
        if stored.duplicate and await self._commands.stored_command(stored.seq, CommandKind.ANSWER) != command:
            raise _answered(approval_id)

    async def _open_since(self, key: SessionKey, approval_id: str) -> int:
        """The place of the question in the log. Raises Problem for one that nobody asked, or that has its answer."""
        position = await self._repository.position()
        # PostgreSQL refuses text with NUL or a lone surrogate, and no id has any.
        row = await self._repository.get(key.session_id, approval_id) if approval_id.isprintable() else None
        asked_at = row["requested_seq"] if row else None
        resolved = row is not None and row["decision"] is not None
        for told in await self._told_after(key, position):
            if told.approval_id == approval_id:
                resolved = told.request is None
                asked_at = asked_at if resolved else told.seq
        if asked_at is None:
            detail = f"Session {key.session_id} has no approval {approval_id}. GET …/approvals lists the open ones."
            raise Problem(ProblemType.NOT_FOUND, detail)
        if resolved:
            raise _answered(approval_id)
        return int(asked_at)

    async def _told_after(self, key: SessionKey, position: int) -> list[_Told]:
        """What the log tells of approvals after `position`, in its order."""
        found = []
        for event_type in (EventType.APPROVAL_REQUESTED, EventType.APPROVAL_RESOLVED):
            async for message in self._bus.messages(event_subject(key, event_type), position):
                event = decode_event(message.data or b"")
                approval_id = json.loads(event.payload).get("approval_id")
                request = event.payload.decode() if event_type == EventType.APPROVAL_REQUESTED else None
                found.append(_Told(message.seq or 0, approval_id, request, event.timestamp))
        return sorted(found)


def _view(request: str, requested_at: str) -> ApprovalView | None:
    """None for a request that nobody can make sense of: it must not hide the others."""
    try:
        return ApprovalView.model_validate({**json.loads(request), "requested_at": requested_at})
    except (ValidationError, ValueError, TypeError):
        return None


def _answered(approval_id: str) -> Problem:
    detail = (
        f"Approval {approval_id} has its answer already; the first one counts. GET …/approvals lists the open ones."
    )
    return Problem(ProblemType.CONFLICT, detail)
