"""Lets a cluster's pods reach servers that listen on this machine's loopback."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine


class Forwarder:
    """Passes what comes to a port of `address` on to one of 127.0.0.1, in a thread of its own. To be closed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ports: dict[int, int] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def forward(self, port: int) -> int:
        """:returns: the port at which 127.0.0.1:`port` is reached; the same when asked again."""
        if port not in self._ports:
            self._ports[port] = self._do(self._listen(port))
        return self._ports[port]

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do[T](self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self, port: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A cancelled one would be complained of by asyncio, at length, in the output of whatever test fails.
            with contextlib.suppress(asyncio.CancelledError):
                await self._pass_on(port, reader, writer)

        server = await asyncio.start_server(serve, self._address, 0)
        self._servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        return found

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @staticmethod
    async def _pass_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, there_writer))
                tasks.create_task(_pump(there_reader, writer))
        finally:
            for end in (writer, there_writer):
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The end of the one direction is passed on too; the other may go on."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
