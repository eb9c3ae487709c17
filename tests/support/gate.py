"""A door in front of a server: while it is shut, the server is away for whoever goes through it."""

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit

from tests.support.ports import free_port


class Gate:
    """`async with Gate(url)`: forwards connections to the server of the URL; open at first."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = free_port()
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    @property
    def url(self) -> str:
        """The server's, through the gate."""
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Cuts what goes through, and lets nobody in."""
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        ends = [writer]
        try:
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
            ends.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, back))
                both.create_task(_copy(there, writer))
        except* (OSError, EOFError):
            pass
        finally:
            self._passing.discard(task)
            for end in ends:
                end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Raises EOFError at the end, so that the other direction ends too."""
    while data := await reader.read(65_536):
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    raise EOFError
