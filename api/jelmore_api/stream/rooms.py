"""The rooms of one replica: each is there for as long as somebody is in it, and a little longer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from nats.aio.client import Client

from jelmore_api.stream.consumer import BUS_ERRORS
from jelmore_api.stream.room import Closing, Member, Room
from jelmore_contract.subjects import SessionKey

LINGER = 5.0  # seconds that a room stays after its last client


class Rooms:
    """Of one replica. `client` may be one that is not connected, if it reconnects by itself for ever."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rooms: dict[SessionKey, Room] = {}
        self._tasks: dict[SessionKey, asyncio.Task[None]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._rooms)

    @contextlib.asynccontextmanager
    async def join(
        self, key: SessionKey, deltas: bool = False, overrun: Callable[[], None] | None = None
    ) -> AsyncIterator[Member]:
        """Returns once the room is open, however long NATS is away.

        overrun: called when the client has fallen out of the ring, maybe while it waits elsewhere. Raises Closing.
        """
        if self._closed:
            raise Closing
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room(self._client, key)
            self._tasks[key] = asyncio.create_task(room.run(), name=f"room {key.session_id}")
        member = Member(room, deltas, overrun)
        room.members.add(member)
        try:
            await room.opened.wait()
            if self._closed:
                raise Closing
            if deltas:
                with contextlib.suppress(*BUS_ERRORS):
                    await room.hear_deltas()
            yield member
        finally:
            room.members.discard(member)
            if not room.members:
                asyncio.get_running_loop().call_later(LINGER, self._leave, key, room)
            if deltas:
                with contextlib.suppress(*BUS_ERRORS):
                    await room.hear_deltas()

    def _leave(self, key: SessionKey, room: Room) -> None:
        if not room.members and self._rooms.get(key) is room:
            del self._rooms[key]
            self._tasks.pop(key).cancel()

    async def close(self) -> None:
        """Sends all clients away; none can join any more."""
        self._closed = True
        for room in self._rooms.values():
            room.opened.set()
            room.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        self._rooms.clear()
        self._tasks.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
