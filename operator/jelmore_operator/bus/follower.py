"""Keeps up with the last message of each subject of a stream, whatever happens to the server or to the
stream.

Level-based: it starts with the last message of every subject, goes on with what comes, and after any doubt
(a gap, a missed heartbeat, a reconnection) simply starts again from the last messages.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

logger = logging.getLogger(__name__)

_HEARTBEAT = 5.0  # seconds
_RETRY = 0.2  # seconds until it is tried again, while the stream or the server is not there
_MOST_RETRY = 2.0


@dataclass(frozen=True, slots=True)
class Feed:
    """What is followed. `headers_only`: bodies are not wanted."""

    stream: str
    subjects: Sequence[str]
    headers_only: bool = False


class Follower:
    """`on_message` gets every message; `on_synced` the subjects seen since the start, each time that all
    last messages are there.
    """

    def __init__(self, feed: Feed, on_message: Callable[[Msg], None], on_synced: Callable[[set[str]], None]) -> None:
        self._feed = feed
        self._on_message = on_message
        self._on_synced = on_synced
        self._doubt = asyncio.Event()
        self.synced = asyncio.Event()

    def restart(self) -> None:
        """To be called after a reconnection."""
        self._doubt.set()

    async def run(self, client: Client) -> None:
        """Never returns."""
        delay = _RETRY
        while True:
            self._doubt.clear()
            try:
                await self._follow(client)
                delay = _RETRY
            except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as error:
                logger.debug("cannot be followed yet", extra={"stream": self._feed.stream, "error": error})
                delay = min(2 * delay, _MOST_RETRY)
            await asyncio.sleep(delay)

    async def _follow(self, client: Client) -> None:
        """Until there is any doubt. Raises ConnectionError while there is no server."""
        if not client.is_connected:
            raise ConnectionError("not connected")
        inbox = client.new_inbox()
        reading = _Reading(self, inbox)
        subscription = await client.subscribe(inbox, cb=reading.take)
        try:
            info = await client.jetstream().add_consumer(
                self._feed.stream,
                ConsumerConfig(
                    deliver_subject=inbox,
                    deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
                    filter_subjects=list(self._feed.subjects),
                    ack_policy=AckPolicy.NONE,
                    max_deliver=1,
                    idle_heartbeat=_HEARTBEAT,
                    headers_only=self._feed.headers_only,
                    mem_storage=True,
                    num_replicas=1,
                ),
            )
            if not info.num_pending and not reading.count:
                reading.complete()
            while not self._doubt.is_set():
                heard = reading.heard
                try:
                    await asyncio.wait_for(self._doubt.wait(), 2.5 * _HEARTBEAT)
                except TimeoutError:
                    if reading.heard == heard:
                        return
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _take(self, message: Msg) -> None:
        try:
            self._on_message(message)
        except ValueError as error:
            logger.error("not understood, left aside: %s: %s", message.subject, error)


class _Reading:
    """One life of the consumer: counts what it delivers."""

    def __init__(self, follower: Follower, inbox: str) -> None:
        self._follower = follower
        self._inbox = inbox
        self._subjects: set[str] = set()
        self._synced = False
        self.count = 0
        self.heard = 0

    async def take(self, message: Msg) -> None:
        self.heard += 1
        # A stored message has its own subject; what its headers say is its sender's.
        if message.subject == self._inbox:
            last = (message.headers or {}).get("Nats-Last-Consumer")
            if last is not None and int(last) != self.count:
                self._follower.restart()
            return
        metadata = message.metadata
        self.count += 1
        if metadata.sequence.consumer != self.count:
            self._follower.restart()
            return
        self._subjects.add(message.subject)
        self._follower._take(message)
        if metadata.num_pending == 0:
            self.complete()

    def complete(self) -> None:
        if not self._synced:
            self._synced = True
            self._follower._on_synced(self._subjects)
            self._follower.synced.set()
