"""The connection to the bus of whoever reconciles."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js import JetStreamContext

from jelmore_bus import Access, BusClient

logger = logging.getLogger(__name__)

_RETRY = 0.2  # seconds between two attempts to connect


@dataclass(frozen=True, slots=True)
class Address:
    """access: as a user of the account CORE. name: what the server shows of this connection."""

    access: Access
    name: str


class Bus:
    """The connection, as soon as there is one."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self._jetstream: JetStreamContext | None = None  # one for all: each that is made costs half a publish

    @property
    def jetstream(self) -> JetStreamContext:
        """Raises ConnectionError while there was no server yet."""
        if self.client is None:
            raise ConnectionError("NATS was not reached yet")
        if self._jetstream is None:
            self._jetstream = self.client.jetstream()
        return self._jetstream


@asynccontextmanager
async def connected(
    address: Address, stopping: asyncio.Event, on_reconnected: Callable[[], Awaitable[None]]
) -> AsyncIterator[Client | None]:
    """A client that comes back as often as the server does; None where `stopping` was set before there was any."""
    client = BusClient(logger)
    connecting = asyncio.create_task(
        client.open(
            address.access,
            name=address.name,
            retry=_RETRY,
            reconnected=on_reconnected,
            pending_size=0,  # what cannot be sent now fails now: the next pass decides what still holds
        )
    )
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((connecting, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not connecting.done():
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
        yield None
        return
    connecting.result()
    try:
        yield client
    finally:
        await client.close()


async def first(events: Iterable[asyncio.Event], timeout: float) -> None:
    """Waits until one of them is set, at most `timeout` seconds."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
