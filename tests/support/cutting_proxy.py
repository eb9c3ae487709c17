"""A TCP proxy that cuts: it ends connections in the middle of what goes through, and swallows answers before it
does.
"""

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit


class CuttingProxy:
    """Between a client and the server at `target` (a nats:// URL). `cuts` counts the connections that were cut."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 4222)
        self._writers: set[asyncio.StreamWriter] = set()
        self._budget: int | None = None  # bytes from the client until the cut
        self._lose_answers = False
        self._was_cut = asyncio.Event()
        self._connected = asyncio.Event()
        self.cuts = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._cut_all()
        await self._server.wait_closed()

    async def cut(self, after_bytes: int, lose_answers: bool) -> None:
        """Waits for a connection, then cuts it once the client has sent that many bytes more (or after 0.2 s);
        meanwhile answers may be lost."""
        await self._connected.wait()
        self._budget, self._lose_answers = after_bytes, lose_answers
        self._was_cut.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self._was_cut.wait()
        self._cut_all()

    def _cut_all(self) -> None:
        self._budget, self._lose_answers = None, False
        self.cuts += bool(self._writers)
        self._connected.clear()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._was_cut.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        if writer.is_closing():  # cut meanwhile
            up_writer.close()
            return
        self._writers.add(up_writer)
        self._connected.set()
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._up(reader, up_writer))
                tasks.create_task(self._down(up_reader, writer))
        for end in (writer, up_writer):
            end.close()
            self._writers.discard(end)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if self._budget is not None and len(data) >= self._budget:
                writer.write(data[: self._budget])
                await writer.drain()
                self._cut_all()
                return
            if self._budget is not None:
                self._budget -= len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._lose_answers:
                writer.write(data)
                await writer.drain()
        writer.close()
