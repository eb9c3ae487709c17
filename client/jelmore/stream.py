"""A session's events over the WebSocket: each once, in order, through lost connections."""

import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from jelmore.config import Target
from jelmore.lines import Json
from jelmore.problems import Denied, JelmoreError, NotListening, TimedOut, Unavailable, from_response

ENDED, NOT_ALLOWED = 1000, 1008  # close codes; after any other one, come back with `after`

#: Bytes of a message. The largest event is a payload of 512 KiB with its envelope.
_MAX_SIZE = 16 << 20
_OPEN_S, _CLOSE_S = 10.0, 1.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Event(NamedTuple):
    """`text`: its JSON as it came. `body`: the same, parsed."""

    seq: int
    text: str
    body: Json

    @property
    def raw_payload(self) -> str:
        """The payload's JSON as it came, byte for byte. (Whatever stands before it holds no quotes of its own.)"""
        return self.text.partition('"payload":')[2][:-1]


class Ready(NamedTuple):
    """Everything that was stored up to `seq` has been given."""

    seq: int


class Stream:
    """`lost`: told once for each time that the connection is lost. `deadline`: of time.monotonic()."""

    def __init__(
        self,
        target: Target,
        session_id: str,
        after: int = 0,
        *,
        deadline: float | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._target = target
        self._path = f"/api/v1/session/{quote(session_id, safe='')}/stream"
        self._deadline = deadline
        self._lost = lost
        self._connected = False  # ever
        self._failures = 0  # since anything came
        #: The seq of the last event that was given.
        self.after = after

    def __iter__(self) -> Iterator[Event | Ready]:
        """Ends when the session has ended. Raises JelmoreError; that nothing listens or is available, at first only."""
        while True:
            try:
                with self._connect() as websocket:
                    self._connected = True
                    while True:
                        if (came := self._read(websocket)) is not None:
                            yield came
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == ENDED:
                    return
                if closed.rcvd is not None and closed.rcvd.code == NOT_ALLOWED:
                    raise Denied(f"Jelmore refused the stream: {closed.rcvd.reason}") from closed
                self._pause()
            except InvalidStatus as refused:
                response = refused.response
                error = from_response(response.status_code, bytes(response.body or b""), self._target.url)
                if not (self._connected and isinstance(error, Unavailable)):
                    raise error from refused
                self._pause()
            except (OSError, WebSocketException) as error:
                if not self._connected:
                    raise NotListening(self._target.url) from error
                self._pause()

    def _connect(self) -> ClientConnection:
        return connect(
            f"{self._target.stream_url(self._path)}?after={self.after}",
            additional_headers=self._target.headers,
            compression=None,
            proxy=None if self._target.on_this_machine else True,
            max_size=_MAX_SIZE,
            open_timeout=_OPEN_S,
            close_timeout=_CLOSE_S,
        )

    def _read(self, websocket: ClientConnection) -> Event | Ready | None:
        try:
            text = websocket.recv(timeout=self._left())
        except TimeoutError:
            raise self._timed_out() from None
        self._failures = 0
        try:
            body = json.loads(text)
            if body["event_type"] == "stream.ready":
                return Ready(body["seq"])
            if not body["event_type"].startswith("session.") or body["seq"] <= self.after:
                return None
            self.after = body["seq"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            detail = f"{self._target.url} sent what is no event of Jelmore's: check JELMORE_URL"
            raise JelmoreError(detail) from error
        return Event(self.after, text if isinstance(text, str) else text.decode(), body)

    def _pause(self) -> None:
        if self._failures == 0:
            self._lost()
        pause = min(_SHORTEST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
        self._failures += 1
        left = self._left()
        if left is not None and left <= pause:
            time.sleep(left)
            raise self._timed_out()
        time.sleep(pause)

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @staticmethod
    def _timed_out() -> TimedOut:
        return TimedOut("the time is over; the session goes on")
