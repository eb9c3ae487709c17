"""The WebSocket of a session: what is checked before it is accepted, and what its commands do."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from pydantic import BaseModel, ConfigDict

from jelmore_api.approvals.schemas import Answer
from jelmore_api.auth.access import Access, WithAccess
from jelmore_api.auth.recheck import reader_check
from jelmore_api.auth.rules import STREAM_COMMAND
from jelmore_api.services import Services
from jelmore_api.sessions.endpoints import SessionId, WithServices
from jelmore_api.sessions.schemas import SendInput
from jelmore_api.stream.websocket import StreamRequest, serve

router = APIRouter()


class InterruptFrame(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AnswerFrame(Answer):
    approval_id: str


@router.websocket("/session/{session_id}/stream")
async def stream(
    websocket: WebSocket,
    session_id: SessionId,
    at: WithServices,
    access: WithAccess,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    deltas: bool = False,
    batch: bool = False,
) -> None:
    """Every event above `after`, then live. What is wrong with the request is answered instead of accepting it."""
    key = await at.sessions.key(session_id)
    await at.events.check_end(key, after)
    await websocket.accept()
    task = asyncio.current_task()
    assert task is not None
    at.streams.add(task)
    try:
        check = reader_check(at.admit, websocket.headers.getlist("authorization"), session_id)
        request = StreamRequest(key, after, deltas, batch, check)
        await serve(websocket, at.replay, request, _Commands(at, access, session_id))
    finally:
        at.streams.discard(task)


class _Commands:
    """The commands of one client: the same as over HTTP, with the same answers."""

    def __init__(self, at: Services, access: Access, session_id: str) -> None:
        self._at = at
        self._access = access
        self._session_id = session_id

    async def __call__(self, kind: str, fields: dict[str, object]) -> Mapping[str, object]:
        await self._access.check_session(self._session_id, STREAM_COMMAND)
        match kind:
            case "input":
                sent = await self._at.commands.send_input(self._session_id, SendInput.model_validate(fields))
                return sent.model_dump(mode="json")
            case "answer":
                answer = AnswerFrame.model_validate(fields)
                await self._at.approvals.answer(self._session_id, answer.approval_id, answer)
            case _:
                InterruptFrame.model_validate(fields)
                await self._at.commands.interrupt(self._session_id)
        return {}
