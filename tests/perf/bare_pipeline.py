"""The least that does the same with the same libraries: a pipe, an awaited JetStream publish, uvicorn, a WebSocket.

    python -m tests.perf.bare_pipeline publish NATS_URL CREDENTIALS         lines of stdin go into the stream
    python -m tests.perf.bare_pipeline serve NATS_URL CREDENTIALS PORT      the stream goes to every WebSocket

No spool, no state, no ids, no order that survives anything: what a session costs beyond that is what is measured.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StorageType, StreamConfig

from tests.perf.bare_server import serve_bare

STREAM = "BENCH"
SUBJECT = "bench.line"
_LONGEST_LINE = 1 << 20


@asynccontextmanager
async def connected(url: str, credentials: str) -> AsyncIterator[Client]:
    client = await nats.connect(url, user_credentials=credentials)
    try:
        yield client
    finally:
        await client.close()


async def publish(url: str, credentials: str) -> None:
    async with connected(url, credentials) as client:
        jetstream = client.jetstream()
        reader = asyncio.StreamReader(_LONGEST_LINE)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            await jetstream.publish(SUBJECT, line.rstrip(b"\n"))


class App:
    """ASGI: each WebSocket gets every message of the stream from now on."""

    def __init__(self, client: Client) -> None:
        self._sends: set[Any] = set()
        self._client = client

    async def subscribe(self) -> None:
        config = StreamConfig(STREAM, subjects=[SUBJECT], storage=StorageType.FILE)
        await self._client.jetstream().add_stream(config)
        await self._client.jetstream().subscribe(SUBJECT, ordered_consumer=True, cb=self._take)

    async def _take(self, message: Msg) -> None:
        text = message.data.decode()
        for send in self._sends:
            await send({"type": "websocket.send", "text": text})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        self._sends.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._sends.discard(send)


async def serve(url: str, credentials: str, port: str) -> None:
    async with connected(url, credentials) as client:
        app = App(client)
        await app.subscribe()
        await serve_bare(app, int(port))


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    uvloop.run(serve(*arguments) if part == "serve" else publish(*arguments))
