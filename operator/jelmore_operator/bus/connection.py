"""The connection to the bus of whoever reconciles."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """name: what the server shows of this connection. credentials: file with a user of the account CORE."""

    url: str
    credentials: Path
    name: str


class Bus:
    """The connection, as soon as there is one."""

    def __init__(self) -> None:
        self.client: Client | None = None

    @property
    def jetstream(self) -> JetStreamContext:
        """Raises ConnectionError while there was no server yet."""
        if self.client is None:
            raise ConnectionError("NATS was not reached yet")
        return self.client.jetstream()


@asynccontextmanager
async def connected(
    address: Address, stopping: asyncio.Event, on_reconnected: Callable[[], Awaitable[None]]
) -> AsyncIterator[Client | None]:
    """A client that comes back as often as the server does; None where `stopping` was set before there was any.

    Raises errors of `nats` for credentials that are refused.
    """
    connecting = asyncio.create_task(
        nats.connect(
            address.url,
            name=address.name,
            user_credentials=str(address.credentials),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            pending_size=0,  # what cannot be sent now fails now: the next pass decides what still holds
            error_cb=_on_error,
            disconnected_cb=_on_disconnected,
            reconnected_cb=on_reconnected,
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
    client = connecting.result()
    try:
        yield client
    finally:
        with suppress(TypeError, OSError):  # nats-py 2.16 writes what it has left to a connection that is gone
            await client.close()


async def first(events: Iterable[asyncio.Event], timeout: float) -> None:
    """Waits until one of them is set, at most `timeout` seconds."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _on_disconnected() -> None:
    logger.warning("the connection to the bus is gone, trying again until it is back")


async def _on_error(error: Exception) -> None:
    logger.debug("the bus: %r", error)  # while it is away, several a second
