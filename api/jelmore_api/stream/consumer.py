"""An ordered consumer: the stream's messages in order, each once, until anything is irregular.

nats-py has one too. It was not used since after a reconnection before its first message it starts again at sequence 1,
drops messages when its queue is full without noticing, and holds nobody back. This one pulls, so that what is not
wanted yet stays in the server, and any irregularity ends it: whoever reads opens another one after the last message
that it has. That is the one way to recover.
"""

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple, Self
from uuid import uuid4

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from jelmore_contract.bus import next_subject
from jelmore_contract.subjects import STREAM

#: What opening or reading may raise when NATS is away.
BUS_ERRORS = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)

_BATCH = 512  # messages a request
_LEAST_MAX_BYTES = 4 << 20  # a request's; the largest message must fit
_EXPIRES = 30.0  # seconds a request waits for messages
_HEARTBEAT = 2.0  # seconds between signs of life of the server while there are none
_SILENCE = 5.0  # seconds without any after which the consumer counts as lost
_CHECK = 1.0
_INACTIVE = 60.0  # seconds after which the server forgets a consumer that nobody asks
_TIMEOUT = 5.0


class Entry(NamedTuple):
    """A stored message. `pending`: how many of the filter the stream then held after it."""

    seq: int
    subject: str
    data: bytes
    pending: int


class ConsumerLost(Exception):
    """Open another after the last entry. The text says why."""


class Consumer:
    """Calls `sink` for each entry, in order, and then at most once `lost`. `subject`: a filter; "" is all."""

    def __init__(
        self, client: Client, subject: str, sink: Callable[[Entry], None], lost: Callable[[str], None]
    ) -> None:
        self._client = client
        self._subject = subject
        self._sink = sink
        self._lost = lost
        self._name = f"jelmore-api-{uuid4().hex}"
        self._next = next_subject(STREAM, self._name)
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connection = 0
        self._delivered = 0  # by this consumer
        self._wanted = 0  # of the request under way
        self._heard = 0.0
        self._over = False
        self.held = False
        #: Every message of the filter above this sequence is delivered.
        self.floor = 0
        #: How many messages of the filter were stored already when it was opened.
        self.pending = 0

    @classmethod
    async def open(
        cls,
        client: Client,
        subject: str,
        after: int | None,
        sink: Callable[[Entry], None],
        lost: Callable[[str], None],
    ) -> Self:
        """From the first message above `after`; None: what is stored from now on. Raises one of BUS_ERRORS."""
        consumer = cls(client, subject, sink, lost)
        try:
            await consumer._open(after)
        except BaseException:
            await consumer.close()
            raise
        return consumer

    async def _open(self, after: int | None) -> None:
        self._connection = self._client.stats["reconnects"]
        config = ConsumerConfig(
            name=self._name,
            deliver_policy=DeliverPolicy.NEW if after is None else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if after is None else after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subject=self._subject or None,
            inactive_threshold=_INACTIVE,
            mem_storage=True,
            num_replicas=1,
        )
        self._subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        info = await self._client.jsm().add_consumer(STREAM, config, timeout=_TIMEOUT)
        self.pending = info.num_pending or 0
        self.floor = after if after is not None else (info.delivered.stream_seq if info.delivered else 0)
        await self._request()
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._check)

    async def close(self) -> None:
        """Lets the server forget it. Never raises for a server that is away."""
        self._end()
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
            if self._client.is_connected:
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{STREAM}.{self._name}")
        except BUS_ERRORS:
            pass

    async def resume(self) -> None:
        """Asks for more after `held` was set. Raises one of BUS_ERRORS."""
        self.held = False
        if self._wanted == 0 and not self._over:
            await self._request()

    async def _request(self) -> None:
        self._wanted = _BATCH
        self._heard = asyncio.get_running_loop().time()
        request = {
            "batch": _BATCH,
            "max_bytes": max(_LEAST_MAX_BYTES, 2 * self._client.max_payload),
            "expires": int(_EXPIRES * 1e9),
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
        }
        await self._client.publish(self._next, json.dumps(request).encode(), self._inbox)

    async def _receive(self, message: Msg) -> None:
        if self._over:
            return
        if message.subject == self._inbox:
            await self._status(message)
            return
        # $JS.ACK.[domain.account.]stream.consumer.deliveries.stream_seq.consumer_seq.time.pending[.token]
        place = message.reply.split(".")
        shift = 0 if len(place) == 9 else 2
        if int(place[6 + shift]) != self._delivered + 1:
            self._give_up("messages were lost on the way")
            return
        self._delivered += 1
        self._wanted -= 1
        self._sink(Entry(int(place[5 + shift]), message.subject, message.data, int(place[8 + shift])))
        if self._wanted == 0 and not self.held:
            await self._request()

    async def _status(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        headers = message.headers or {}
        status, description = headers.get("Status", ""), headers.get("Description", "")
        if status == "100":
            return
        if status in ("404", "408") or (status == "409" and description.lower().startswith(("message size", "batch"))):
            self._wanted = 0
            if not self.held:
                await self._request()
            return
        self._give_up(f"{status} {description}".strip() if status != "503" else "the server does not know it any more")

    def _check(self) -> None:
        """A server that went away says nothing: its silence, or a new connection, ends the consumer."""
        loop = asyncio.get_running_loop()
        if self._client.stats["reconnects"] != self._connection:
            self._give_up("the connection to NATS was lost")
        elif self._wanted and loop.time() - self._heard > _SILENCE and self._client.is_connected:
            self._give_up("NATS fell silent")
        else:
            self._timer = loop.call_later(_CHECK, self._check)

    def _give_up(self, reason: str) -> None:
        if not self._over:
            self._end()
            self._lost(reason)

    def _end(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
