"""`python -m jelmore_api`: serves until SIGTERM or Ctrl-C, then lets every answer under way go out. Exit code 0."""

import contextlib
import signal
import sys
from collections.abc import Iterator

import uvicorn
from pydantic import ValidationError

from jelmore_api import logs
from jelmore_api.main import create_app
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


def serve(settings: Settings) -> None:
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
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
    Server(config).run()


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = "_".join(str(part) for part in ("JELMORE", *first["loc"])).upper() if first["loc"] else ""
        sentence = str(first["msg"]).removeprefix("Value error, ")
        sys.exit(f"jelmore_api cannot start: {where + ': ' if where else ''}{sentence}.")
    logs.configure()
    serve(settings)


if __name__ == "__main__":
    main()
