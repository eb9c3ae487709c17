"""A server's address that passes on what clients say, and keeps it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Tap:
    """`said`: every byte that clients sent to `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.said = bytearray()


@asynccontextmanager
async def tapped(target: str) -> AsyncIterator[Tap]:
    """In front of the server at the URL `target`."""
    parts = urlsplit(target)

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        with suppress(ConnectionError):
            await asyncio.gather(pass_on(reader, back, tap.said), pass_on(there, writer, None))
        for end in (writer, back):
            end.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    tap = Tap(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{parts.path}")
    async with server:
        yield tap


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytearray | None) -> None:
    while data := await reader.read(65_536):
        if said is not None:
            said += data
        writer.write(data)
        await writer.drain()
    writer.write_eof()
