"""The HTTP server around the application."""

import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from jelmore_api.main import create_app
from jelmore_api.services import Services
from jelmore_api.settings import Settings

#: Seconds for answers under way when the service is asked to stop.
_GRACE = 5
#: Bytes of a client's WebSocket frame: an input with its JSON escapes.
_MAX_FRAME = 4 * 1024 * 1024


class Server(uvicorn.Server):
    """Uvicorn's own raises the signal again when all is done, so that the process ends by it; this one ends with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services: Services = self.lifespan.state["services"]
        await services.end_streams()
        await super().shutdown(sockets)


def server(settings: Settings) -> Server:
    """To be `run`, or to be awaited with `serve`."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=HttpToolsProtocol,
        ws=WebSocketsSansIOProtocol,
        ws_max_size=_MAX_FRAME,
        # Compression would cost 64 KiB a connection.
        ws_per_message_deflate=False,
        # Whoever is in between is not believed about where a request came from.
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE,
        lifespan="on",
    )
    return Server(config)
