"""A room: one watched session's consumer and its ring of encoded frames, which all its clients read from.

A client is a place in the ring, so it costs no queue and no copy. One that falls out of the ring is too slow, and has
to come back with the last sequence that it has.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from jelmore_api.stream.consumer import BUS_ERRORS, Consumer, Entry
from jelmore_api.stream.frames import Frame, delta_frame, event_frame, read_event
from jelmore_contract.subjects import SessionKey, Subject, live_subject, session_events

logger = logging.getLogger(__name__)

MOST_FRAMES = 4096
MOST_CHARACTERS = 16 << 20
_RETRY = 0.2  # seconds between attempts to open a consumer


class TooSlow(Exception):
    """The client does not keep up: close it with 1013, to come back."""


class Closing(Exception):
    """The service shuts down: close the client with 1013, to come back."""


class Member:
    """One client's place in a room."""

    def __init__(self, room: "Room", deltas: bool, overrun: Callable[[], None] | None) -> None:
        self.room = room
        self.deltas = deltas
        self.overrun = overrun
        self.place = 0
        self.after = 0
        self.reading = False
        self._waiter: asyncio.Future[None] | None = None

    def start(self, after: int) -> None:
        """From the first event above `after`, which must not be below the room's floor."""
        self.place = self.room.place(after)
        self.after = after
        self.reading = True

    def reached(self, seq: int) -> bool:
        """Whether this client has everything up to `seq`."""
        return self.room.last >= seq and not self.room.since(self.place)

    async def next(self) -> list[Frame]:
        """What came since the last call, in order, each once; it may be nothing. Raises TooSlow, Closing."""
        if not self.room.since(self.place):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frames = self.room.since(self.place)
        self.place += len(frames)
        # A client may know more than a room that has lost its connection: what it has then still comes to the ring.
        return [frame for frame in frames if frame.seq > self.after or (self.deltas and not frame.seq)]

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Room:
    """Runs until it is closed; through lost connections and restarted servers its ring has no gap and no double."""

    def __init__(self, client: Client, key: SessionKey) -> None:
        self._client = client
        self._key = key
        self._prefix = session_events(key).removesuffix(">")
        self._frames: list[Frame] = []
        self._first = 0  # place of the first frame in the ring
        self._characters = 0
        self._closed = False
        self._live: Subscription | None = None
        self.members: set[Member] = set()
        self.opened = asyncio.Event()
        #: The ring has every event above this sequence (and up to what is stored, but for what is on its way).
        self.floor = 0
        #: The last sequence of the session's that came.
        self.last = 0

    async def run(self) -> None:
        while True:
            lost = asyncio.Event()
            with contextlib.suppress(*BUS_ERRORS):
                after = self.last if self.opened.is_set() else None
                consumer = await self._open(after, lost)
                try:
                    if after is None:
                        self.floor = consumer.floor
                        self.last = max(self.last, self.floor)
                        self.opened.set()
                    await lost.wait()
                finally:
                    await consumer.close()
            await asyncio.sleep(_RETRY)

    async def _open(self, after: int | None, lost: asyncio.Event) -> Consumer:
        subject = session_events(self._key)
        return await Consumer.open(self._client, subject, after, self._take, lambda _: lost.set())

    def close(self) -> None:
        """Every member's `next` raises Closing."""
        self._closed = True
        self._wake()

    async def hear_deltas(self) -> None:
        """Deltas are passed on as long as anybody wants them. Raises one of consumer.BUS_ERRORS."""
        wanted = any(member.deltas for member in self.members)
        if wanted and self._live is None:
            self._live = await self._client.subscribe(live_subject(self._key), cb=self._take_delta)
        elif not wanted and self._live is not None:
            live, self._live = self._live, None
            await live.unsubscribe()

    def place(self, after: int) -> int:
        """Of the first event above `after`."""
        for place in range(len(self._frames) - 1, -1, -1):
            if 0 < self._frames[place].seq <= after:
                return self._first + place + 1
        return self._first

    def since(self, place: int) -> list[Frame]:
        """Raises TooSlow, Closing."""
        if self._closed:
            raise Closing
        if place < self._first:
            raise TooSlow
        return self._frames[place - self._first :]

    def _take(self, entry: Entry) -> None:
        self.last = entry.seq
        try:
            event = read_event(Subject("event", self._key, entry.subject.removeprefix(self._prefix)), entry.data)
        except ValueError as error:
            logger.debug("not an event, at %d: %s", entry.seq, error)
            self._wake()
        else:
            self._add(event_frame(entry.seq, event))

    async def _take_delta(self, message: Msg) -> None:
        with contextlib.suppress(ValueError):
            self._add(delta_frame(message.data))

    def _add(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._characters += len(frame.text)
        if len(self._frames) > MOST_FRAMES or self._characters > MOST_CHARACTERS:
            self._drop()
        self._wake()

    def _drop(self) -> None:
        """Makes room for as much again, so that it is rarely done; never the newest frame."""
        dropped = 0
        while dropped < len(self._frames) - 1 and (
            len(self._frames) - dropped > MOST_FRAMES // 2 or self._characters > MOST_CHARACTERS // 2
        ):
            frame = self._frames[dropped]
            self._characters -= len(frame.text)
            self.floor = max(self.floor, frame.seq)
            dropped += 1
        del self._frames[:dropped]
        self._first += dropped
        for member in self.members:
            if member.reading and member.place < self._first and member.overrun is not None:
                member.overrun()

    def _wake(self) -> None:
        for member in self.members:
            member.wake()
