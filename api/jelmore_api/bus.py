"""The connection to NATS: made in the background, kept for ever, and said to be away while it is."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple, NoReturn, Self

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from jelmore_api.errors import unavailable
from jelmore_bus import Access, BusClient
from jelmore_bus.trouble import bus_trouble
from jelmore_contract.bus import MSG_ID
from jelmore_contract.subjects import STREAM

#: Seconds for an answer of the server. A synced write takes some milliseconds.
_TIMEOUT = 5.0
#: Seconds between two attempts to connect.
_RETRY = 1
_log = logging.getLogger("jelmore.api.bus")


class Stored(NamedTuple):
    """duplicate: the stream has had this message id before, at `seq`, and stored nothing."""

    seq: int
    duplicate: bool


@contextlib.contextmanager
def asking_nats() -> Iterator[None]:
    """Turns what the client raises when the server does not answer into a 503."""
    try:
        yield
    except (nats.errors.Error, OSError, TimeoutError) as error:
        _log.warning("NATS: %s", type(error).__name__)
        raise unavailable("NATS") from error


class Bus:
    """`async with Bus(...)`: connects in the background, so that the service starts without NATS."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client = BusClient(_log)
        self._js = self._client.jetstream(timeout=_TIMEOUT)
        self._connecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        connecting = self._client.open(self._access, name="jelmore-api", retry=_RETRY)
        self._connecting = asyncio.create_task(connecting, name="connect to NATS")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connecting:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self._client.close()

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    def trouble(self, error: BaseException) -> str:
        """What is wrong with NATS, where asking it ended with `error`."""
        return (self._client.trouble or bus_trouble(error)).text

    @property
    def connection(self) -> Client:
        """The client, connected or not: for those who wait for it themselves."""
        return self._client

    @property
    def client(self) -> Client:
        """Raises Problem (503) while there is no connection."""
        return self._client if self.connected else _away()

    @property
    def jetstream(self) -> JetStreamContext:
        """Raises Problem (503) while there is no connection."""
        return self._js if self.connected else _away()

    async def publish(self, subject: str, body: bytes, message_id: str | None) -> Stored:
        """Stores a message in the log. Raises Problem (503); it may be stored even then, if the answer got lost."""
        with asking_nats():
            headers = {MSG_ID: message_id} if message_id else None
            ack = await self.jetstream.publish(subject, body, headers=headers)
        return Stored(ack.seq, bool(ack.duplicate))

    async def last_sequence(self) -> int:
        """Of the log. Raises Problem (503)."""
        with asking_nats():
            return (await self.jetstream.stream_info(STREAM)).state.last_seq

    async def message(self, seq: int) -> RawStreamMsg | None:
        """The message of the log at `seq`. Raises Problem (503)."""
        return await self._get(None, seq)

    async def messages(self, subject: str, after: int) -> AsyncIterator[RawStreamMsg]:
        """The messages of one subject of the log above sequence `after`, up to now. Raises Problem (503)."""
        while message := await self._get(subject, after + 1):
            yield message
            assert message.seq is not None
            after = message.seq

    async def _get(self, subject: str | None, seq: int) -> RawStreamMsg | None:
        with asking_nats():
            try:
                return await self.jetstream.get_msg(
                    STREAM, seq=seq, subject=subject, direct=True, next=subject is not None
                )
            except nats.js.errors.NotFoundError:
                return None


def _away() -> NoReturn:
    raise unavailable("NATS")
