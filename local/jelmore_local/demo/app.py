"""The server's ASGI application: a thin shell over the pure modules beside it."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from . import conversation, persona, script, side, stream
from .reply import Answer, Ending, Refusal
from .request import Request, decode

#: Places of conversations whose attempts are remembered. Forgetting one repeats its failures, no more.
_REMEMBERED = 4096


class Attempts:
    """Requests by the place their conversation stands at: what a failure "n times" is counted by."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def count(self, place: str) -> int:
        """The requests before this one."""
        before = self._seen.pop(place, 0)
        self._seen[place] = before + 1
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return before


def create_app() -> Starlette:
    """The Messages API of the demo model."""
    attempts = Attempts()

    async def messages(http: HttpRequest) -> Response:
        body = await http.body()
        nonce = uuid.uuid4().hex
        try:
            request = decode(body)
        except msgspec.DecodeError as error:
            return _refuse(Refusal(400, str(error)), nonce)
        answer = _answer(request, http, attempts)
        if isinstance(answer, Refusal):
            return _refuse(answer, nonce)
        head = stream.Head(request.model, nonce, stream.tokens(len(body)))
        chunks = stream.events(answer, head) if request.stream else stream.document(answer, head)
        kind = "text/event-stream" if request.stream else "application/json"
        headers = {"request-id": f"req_{nonce}", "cache-control": "no-cache"}
        response = _CutResponse if answer.ending is Ending.CUT else StreamingResponse
        return response(_paced(chunks, answer.ending), media_type=kind, headers=headers)

    return Starlette(
        routes=[
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", _count_tokens, methods=["POST"]),
            Route("/api/hello", _hello, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )


def _answer(request: Request, http: HttpRequest, attempts: Attempts) -> Answer:
    aside = side.answer(request)
    if aside is not None:
        return aside
    talk = conversation.read(request)
    session = http.headers.get("x-claude-code-session-id", "")
    agent = http.headers.get("x-claude-code-agent-id", "")
    place = f"{session} {agent} {talk.ordinal} {talk.responses} {hash(talk.prompt)}"
    return script.answer(talk, attempts.count(place)) or persona.answer(talk)


async def _count_tokens(http: HttpRequest) -> Response:
    body = await http.body()
    try:
        decode(body)
    except msgspec.DecodeError as error:
        return _refuse(Refusal(400, str(error)), uuid.uuid4().hex)
    return JSONResponse({"input_tokens": stream.tokens(len(body))})


async def _hello(_: HttpRequest) -> Response:
    return JSONResponse({"message": "hello"})


async def _not_found(http: HttpRequest, _: Exception) -> Response:
    words = f"The demo model has no {http.method} {http.url.path}."
    return _refuse(Refusal(404, words), uuid.uuid4().hex)


def _refuse(answer: Refusal, nonce: str) -> Response:
    body, headers = stream.refusal(answer, nonce)
    return JSONResponse(body, answer.status, headers)


async def _paced(chunks: Iterable[stream.Chunk], ending: Ending) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if chunk.pause_s:
            await asyncio.sleep(chunk.pause_s)
        yield chunk.data
    if ending is Ending.STALL:
        await asyncio.Event().wait()  # until the client goes away or the server stops


class _CutResponse(StreamingResponse):
    """A response without its closing chunk: the server closes the connection, as a lost one would be."""

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for data in self.body_iterator:
            await send({"type": "http.response.body", "body": data, "more_body": True})
