"""Commands from the log to the session: one at a time, in order, each noted on disk before it is acknowledged."""

import asyncio
import json
import logging
from collections.abc import Callable

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from jelmore_contract.bus import consumer_name, next_subject
from jelmore_contract.subjects import STREAM, SessionKey, parse_subject

logger = logging.getLogger(__name__)

# A pull waits this long at the server (seconds); it is asked anew at once when the connection was made anew.
_EXPIRES = 60
_RETRY = 1.0
# Answers that only say that a pull is over: nothing came, or its time is up.
_OVER = ("404", "408")


class Commands:
    """Pulls from the session's durable consumer, which is named after it. The consumer delivers one command at a time
    (max_ack_pending 1), so that a command that was handed to an agent which then died cannot be overtaken by a later
    one.
    """

    def __init__(self, key: SessionKey, taken: Callable[[int, str, bytes], None]) -> None:
        self._consumer = consumer_name(key)
        self._taken = taken
        self._came: asyncio.Queue[Msg | None] = asyncio.Queue()

    async def connection_renewed(self) -> None:
        await self._came.put(None)

    async def run(self, client: Client) -> None:
        """Never returns."""
        inbox = client.new_inbox()
        await client.subscribe(inbox, cb=self._came.put)
        # One message a pull: the server takes an empty message for the end of a pull that crosses accounts (seen with
        # 2.15.1: the next command of the same pull was counted as delivered and never came).
        pull = json.dumps({"batch": 1, "expires": _EXPIRES * 1_000_000_000}).encode()
        while True:
            try:
                await client.publish(next_subject(STREAM, self._consumer), pull, reply=inbox)
                await self._receive(client, inbox)
            except TimeoutError:
                continue
            except (nats.errors.Error, OSError) as error:
                logger.info("no commands can be read: %s", str(error) or type(error).__name__)
                await asyncio.sleep(_RETRY)

    async def _receive(self, client: Client, inbox: str) -> None:
        """Takes what one pull brings. Raises TimeoutError where the server forgot the pull."""
        async with asyncio.timeout(_EXPIRES + 5):
            message = await self._came.get()
        if message is None:
            return
        # A command has its own subject; what its headers say is its sender's.
        if message.subject == inbox:
            if (status := (message.headers or {}).get("Status")) not in _OVER:
                logger.info("pulling commands: %s %s", status, (message.headers or {}).get("Description", ""))
                await asyncio.sleep(_RETRY)
            return
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<time>.<pending>
        self._taken(int(message.reply.split(".")[5]), parse_subject(message.subject).rest, message.data)
        await client.publish(message.reply, b"+ACK")
