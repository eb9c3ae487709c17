"""A session's events over the WebSocket: each once, in order, through lost connections."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from jelmore.events import Event, OutputDelta, Ready, read_frame
from jelmore.problems import Denied, JelmoreError, NotListening, from_response
from jelmore.retries import AGAIN, pause
from jelmore.transport import Transport

ENDED, NOT_ALLOWED = 1000, 1008  # close codes; after any other one, come back with `after`

#: Bytes of a message. The largest event is a payload of 512 KiB with its envelope.
_MAX_SIZE = 16 << 20
_OPEN_S, _CLOSE_S = 10.0, 1.0


class Stream:
    """`lost`: called once for each time that the connection is lost."""

    def __init__(
        self,
        transport: Transport,
        session_id: str,
        after: int = 0,
        *,
        deltas: bool = False,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._target = transport.target
        self._path = f"/api/v1/session/{quote(session_id, safe='')}/stream"
        self._deltas = deltas
        self._lost = lost
        self._failures = 0  # since anything came
        #: The seq of the last event that was given.
        self.after = after

    async def frames(self) -> AsyncGenerator[Event | Ready]:
        """Ends when the session has ended. Raises JelmoreError; that nothing listens or is available, at first only."""
        while True:
            try:
                async with self._connect() as websocket:
                    self._transport.reached = True
                    while True:
                        if (came := self._read(await websocket.recv())) is not None:
                            yield came
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == ENDED:
                    return
                if closed.rcvd is not None and closed.rcvd.code == NOT_ALLOWED:
                    raise Denied(f"Jelmore refused the stream: {closed.rcvd.reason}") from closed
            except InvalidStatus as refused:
                response = refused.response
                if not (self._transport.reached and response.status_code in AGAIN):
                    body = bytes(response.body or b"")
                    raise from_response(response.status_code, body, self._target.url) from refused
            except (OSError, WebSocketException) as error:
                if not self._transport.reached:
                    raise NotListening(self._target.url) from error
            if self._failures == 0:
                self._lost()
            await asyncio.sleep(pause(self._failures))
            self._failures += 1

    def _connect(self) -> connect:
        deltas = "&deltas=true" if self._deltas else ""
        return connect(
            f"{self._target.stream_url(self._path)}?after={self.after}{deltas}",
            additional_headers=self._target.headers,
            compression=None,
            proxy=None if self._target.on_this_machine else True,
            max_size=_MAX_SIZE,
            open_timeout=_OPEN_S,
            close_timeout=_CLOSE_S,
        )

    def _read(self, text: str | bytes) -> Event | Ready | None:
        self._failures = 0
        try:
            came = read_frame(text if isinstance(text, str) else text.decode())
        except ValueError as error:
            detail = f"{self._target.url} sent what is no event of Jelmore's: check JELMORE_URL"
            raise JelmoreError(detail) from error
        if not isinstance(came, Event) or isinstance(came, OutputDelta):
            return came
        if came.seq <= self.after:
            return None
        self.after = came.seq
        return came
