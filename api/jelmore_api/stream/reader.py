"""Reading entries of the stream in batches, at the reader's own pace."""

import asyncio
import contextlib
from collections import deque

from nats.aio.client import Client

from jelmore_api.stream.consumer import Consumer, ConsumerLost, Entry

_MOST_BUFFERED = 1024  # entries; the bytes are bounded by the consumer's requests


class Reader:
    """Between `open` and `close`: entries above `after`, in order, until the consumer is lost and all were read."""

    def __init__(self, client: Client, subject: str, after: int) -> None:
        self._client = client
        self._subject = subject
        self._after = after
        self._entries: deque[Entry] = deque()
        self._more = asyncio.Event()
        self._reason: str | None = None
        self._consumer: Consumer | None = None
        #: How many entries the stream held after the last one that was read (or at the start).
        self.pending = 0

    async def open(self) -> None:
        """Raises one of consumer.BUS_ERRORS."""
        self._consumer = await Consumer.open(self._client, self._subject, self._after, self._take, self._lose)
        self.pending = self._consumer.pending

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.close()

    def _take(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._more.set()
        if len(self._entries) >= _MOST_BUFFERED and self._consumer is not None:
            self._consumer.held = True

    def _lose(self, reason: str) -> None:
        self._reason = reason
        self._more.set()

    async def read(self, most: int, gather: float = 0.0, idle: float | None = None) -> list[Entry]:
        """Waits for an entry, at most `idle` seconds ([] then); then up to `gather` seconds for up to `most`.

        Raises ConsumerLost, or one of consumer.BUS_ERRORS.
        """
        if not await self._wait(1, idle):
            if self._reason is not None:
                raise ConsumerLost(self._reason)
            return []
        if gather:
            await self._wait(most, gather)
        batch = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        self.pending = batch[-1].pending
        if self._consumer is not None and self._consumer.held and len(self._entries) < _MOST_BUFFERED // 2:
            await self._consumer.resume()
        return batch

    async def _wait(self, count: int, seconds: float | None) -> bool:
        """Whether that many entries are there; no longer than there is hope for them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._entries) < count and self._reason is None:
                    self._more.clear()
                    await self._more.wait()
        return len(self._entries) >= count
