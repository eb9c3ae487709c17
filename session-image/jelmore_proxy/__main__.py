"""`python -m jelmore_proxy FD METRICS_FD`: serves, until SIGTERM, on the listening sockets that it was given as these
descriptors: the model's API on the first, its own figures (GET /metrics) on the second.

Settings: JELMORE_UPSTREAM_KIND (apiKey or gateway), JELMORE_UPSTREAM_SECRET (the folder where the Secret is mounted),
JELMORE_UPSTREAM_URL (for an API key; Anthropic's without).
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys

import uvloop
from aiohttp import web

from jelmore_proxy.credentials import Credentials
from jelmore_proxy.forward import Forwarder, upstream_session
from jelmore_proxy.metrics import Metrics
from jelmore_proxy.settings import Settings


async def serve(settings: Settings, listener: socket.socket, metrics_listener: socket.socket) -> None:
    """Until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    metrics = Metrics()
    async with upstream_session() as session:
        forwarder = Forwarder(Credentials(settings), session, metrics)
        # A client that hangs up ends its request upstream too, which would be paid for otherwise. Bodies pass as they
        # are: what the client has packed stays so.
        server = web.Server(forwarder.handle, handler_cancellation=True, access_log=None, auto_decompress=False)
        runners = [web.ServerRunner(server, shutdown_timeout=0)]
        runners.append(web.ServerRunner(web.Server(metrics.handle, access_log=None), shutdown_timeout=0))
        for runner, socket_ in zip(runners, (listener, metrics_listener), strict=True):
            await runner.setup()
            await web.SockSite(runner, socket_).start()
        await stopped.wait()
        for runner in runners:
            await runner.cleanup()


class _JsonLines(logging.Formatter):
    """Of an exception its kind alone: its words may hold what a request said."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"part": "proxy", "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        return json.dumps(fields)


def main() -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("jelmore_proxy").setLevel(logging.INFO)
    if len(sys.argv) != 3 or not all(word.isdecimal() for word in sys.argv[1:]):
        print("usage: python -m jelmore_proxy FD METRICS_FD", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment(os.environ)
        listeners = [socket.socket(fileno=int(word)) for word in sys.argv[1:]]
    except (OSError, ValueError) as error:
        print(f"jelmore proxy: {error}", file=sys.stderr)
        return 2
    uvloop.run(serve(settings, *listeners))
    return 0


if __name__ == "__main__":
    sys.exit(main())
