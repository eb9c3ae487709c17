"""One client's WebSocket: the session's frames out, commands in.

Close codes: 1000 the session has ended and all was sent, 1008 what came was no text, or the client may not read any
more, 1013 too slow, or the service
shuts down or cannot read the log: come back with `after`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from jelmore_api.auth.recheck import AccessLost, Check, until_lost
from jelmore_api.errors import Problem, from_validation
from jelmore_api.stream.frames import Frame, batch_frame, reply_frame
from jelmore_api.stream.replay import Page, Replay
from jelmore_api.stream.room import Closing, TooSlow
from jelmore_contract.errors import ProblemType
from jelmore_contract.subjects import SessionKey

ENDED, NOT_ALLOWED, TRY_AGAIN = 1000, 1008, 1013

COMMANDS = ("input", "interrupt", "answer")
_BATCH = 50  # replayed events in a frame
_BATCH_CHARACTERS = 1 << 20  # that it should not exceed by much
_LONGEST_ID = 255
_CLOSE_LIMIT = 5.0  # seconds that a client which does not read may hold up its own end

#: Carries out one command; `fields`: the client's frame without type and id. Raises Problem or pydantic's
#: ValidationError, and has then changed nothing; what it returns is sent with the reply.
type CommandHandler = Callable[[str, dict[str, object]], Awaitable[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What the client asked for. `after`: not beyond `Replay.end`. check: whether it still may; None: always."""

    key: SessionKey
    after: int = 0
    deltas: bool = False
    batch: bool = False
    check: Check | None = None


async def serve(websocket: WebSocket, replay: Replay, request: StreamRequest, commands: CommandHandler) -> None:
    """Serves an accepted WebSocket until either side ends it."""
    overrun = asyncio.Event()
    tasks = [
        asyncio.create_task(_send(websocket, replay, request, overrun.set)),
        asyncio.create_task(_receive(websocket, commands)),
        asyncio.create_task(_until(overrun)),
        asyncio.create_task(until_lost(request.check)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        code, reason = _close_code(outcomes)
        async with asyncio.timeout(_CLOSE_LIMIT):
            await websocket.close(code, reason)


class _NotText(Exception):
    """The client sent a binary message."""


async def _until(overrun: asyncio.Event) -> None:
    await overrun.wait()
    raise TooSlow


def _close_code(outcomes: list[BaseException | None]) -> tuple[int, str]:
    """Raises WebSocketDisconnect where the client has gone, and whatever is a defect."""
    for error in outcomes:
        match error:
            case None | asyncio.CancelledError():
                continue
            case TooSlow():
                return TRY_AGAIN, "too slow; come back with after"
            case Closing():
                return TRY_AGAIN, "shutting down; come back with after"
            case Problem():
                return TRY_AGAIN, "the log cannot be read now; come back with after"
            case AccessLost():
                return NOT_ALLOWED, "you may not read this session any more"
            case _NotText():
                return NOT_ALLOWED, "send text"
            case _:
                raise error
    return ENDED, "the session has ended"


async def _send(websocket: WebSocket, replay: Replay, request: StreamRequest, overrun: Callable[[], None]) -> None:
    """Returns once the session has ended."""
    pages = replay.follow(request.key, request.after, request.deltas, overrun)
    async with contextlib.aclosing(pages):
        async for page in _packed(pages) if request.batch else pages:
            for frame in page.frames:
                await websocket.send({"type": "websocket.send", "text": frame.text})


async def _packed(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """With what is replayed many events to a frame."""
    async for page in pages:
        if page.live:
            yield page
        else:
            yield Page([batch_frame(group) for group in _groups(page.frames)], live=False)


def _groups(frames: list[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    size = 0
    for frame in frames:
        if not groups or len(groups[-1]) == _BATCH or size > _BATCH_CHARACTERS:
            groups.append([])
            size = 0
        groups[-1].append(frame)
        size += len(frame.text)
    return groups


async def _receive(websocket: WebSocket, commands: CommandHandler) -> None:
    """Raises WebSocketDisconnect when the client has gone."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        text = message.get("text")
        if text is None:
            raise _NotText
        reply = await answer(text, commands)
        await websocket.send({"type": "websocket.send", "text": reply.text})


async def answer(text: str, commands: CommandHandler) -> Frame:
    """The reply to one frame of a client."""
    echo: dict[str, object] = {}
    try:
        fields = _fields(text)
        if "id" in fields:
            echo["id"] = _checked_id(fields.pop("id"))
        kind = fields.pop("type", None)
        if kind not in COMMANDS:
            raise Problem(ProblemType.INVALID_REQUEST, f"type must be one of {', '.join(COMMANDS)}.")
        return reply_frame({**echo, "ok": True, **await commands(str(kind), fields)})
    except ValidationError as error:
        problem = from_validation([{**found, "loc": ("body", *found["loc"])} for found in error.errors()])
    except Problem as error:
        problem = error
    return reply_frame({**echo, "ok": False, "problem": problem.document().model_dump(mode="json", exclude_none=True)})


def _fields(text: str) -> dict[str, object]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise Problem(ProblemType.INVALID_REQUEST, "The frame is no JSON. Send one JSON object.", status=400) from None
    if not isinstance(fields, dict):
        raise Problem(ProblemType.INVALID_REQUEST, "The frame is no JSON object.", status=400)
    return fields


def _checked_id(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > _LONGEST_ID:
        raise Problem(ProblemType.INVALID_REQUEST, f"id must be a number or at most {_LONGEST_ID} characters.")
    return value
