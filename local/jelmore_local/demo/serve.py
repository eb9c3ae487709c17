"""The server on a port of loopback, inside the calling process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from .app import create_app

_HOST = "127.0.0.1"
#: Seconds for running answers to end when the server stops; stalled ones never would.
_GRACE_S = 1


class _Embedded(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program around."""
        yield


@asynccontextmanager
async def serve(port: int = 0) -> AsyncIterator[str]:
    """Serve the demo model; gives its base URL. Port 0: a free one. Raises OSError if the port is taken."""
    with socket.create_server((_HOST, port), backlog=128) as listener:
        config = uvicorn.Config(
            create_app(),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = _Embedded(config)
        # The socket listens already, so a request sent before the task has run just waits its turn.
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
