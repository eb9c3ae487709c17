"""One client's server-sent events: the session's frames out, as the WebSocket has them.

What ends without `stream.end` is to be gone on with: the client was too slow, the service shuts down or cannot read the
log, or the connection was lost. The browser's EventSource does so by itself, with the last id that it has.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jelmore_api.auth.recheck import AccessLost, Check, until_lost
from jelmore_api.errors import Problem
from jelmore_api.stream.frames import Frame, end_frame
from jelmore_api.stream.replay import Replay
from jelmore_api.stream.room import Closing, TooSlow
from jelmore_contract.subjects import SessionKey

logger = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = 15.0  # seconds without an event after which a comment is sent, so that nobody in between loses patience
_CLOSE_LIMIT = 5.0  # seconds that a client which does not read may hold up its own end
_LINE_END = re.compile(r"\r\n|\r|\n")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the second one: nginx would hold events back


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """What the client asked for. `after`: not beyond `Replay.end`. types: all where empty. check: whether it still may;
    None: always.
    """

    key: SessionKey
    after: int = 0
    types: Collection[str] = ()
    check: Check | None = None


def event_text(frame: Frame, seq: int) -> str:
    """The frame as an event whose id is `seq`."""
    data = frame.text
    if "\n" in data or "\r" in data:
        # Whoever wrote the event, its JSON may have line ends between its parts: there they mean nothing.
        data = _LINE_END.sub("\ndata: ", data)
    return f"id: {seq}\nevent: {frame.event_type}\ndata: {data}\n\n"


class EventStream(Response):
    """The whole response. `streams`: where the task that serves it is found while it does."""

    media_type = MEDIA_TYPE

    def __init__(self, replay: Replay, request: EventsRequest, streams: set[asyncio.Task[None]]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._replay = replay
        self._request = request
        self._streams = streams
        self._last_sent = 0.0

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._serve(receive, send)
        finally:
            self._streams.discard(task)

    async def _serve(self, receive: Receive, send: Send) -> None:
        """Until either side ends it."""
        self._last_sent = asyncio.get_running_loop().time()
        overrun = asyncio.Event()
        tasks = [
            asyncio.create_task(self._send(send, overrun.set)),
            asyncio.create_task(self._heartbeat(send)),
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(_until(overrun)),
            asyncio.create_task(until_lost(self._request.check)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for error in outcomes:
            if isinstance(error, BaseException) and not isinstance(error, _ENDS):
                raise error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT):
                await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send, overrun: Callable[[], None]) -> None:
        """Returns once the session has ended."""
        request = self._request
        last = request.after
        pages = self._replay.follow(request.key, request.after, overrun=overrun)
        async with contextlib.aclosing(pages):
            async for page in pages:
                wanted: list[str] = []
                for frame in page.frames:
                    last = frame.seq or last
                    if not frame.seq or not request.types or frame.event_type in request.types:
                        wanted.append(event_text(frame, last))
                await self._write(send, "".join(wanted))
        await self._write(send, event_text(end_frame(last), last))

    async def _heartbeat(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.0, self._last_sent + HEARTBEAT - clock()))
            if clock() - self._last_sent >= HEARTBEAT:
                await self._write(send, ":\n\n")

    async def _write(self, send: Send, text: str) -> None:
        if text:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            self._last_sent = asyncio.get_running_loop().time()


#: How a stream may end, the client's own going and the session's end aside.
_ENDS = (asyncio.CancelledError, TooSlow, Closing, Problem, AccessLost)


async def _until(overrun: asyncio.Event) -> None:
    await overrun.wait()
    raise TooSlow


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
