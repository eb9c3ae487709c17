"""`python -m jelmore_proxy FD`: serves on the listening socket that it was given as descriptor FD, until SIGTERM.

Settings: JELMORE_UPSTREAM_KIND (apiKey or gateway), JELMORE_UPSTREAM_TOKEN, JELMORE_UPSTREAM_URL (Anthropic's without).
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

from jelmore_proxy.forward import Forwarder, upstream_session
from jelmore_proxy.settings import Upstream


async def serve(upstream: Upstream, listener: socket.socket) -> None:
    """Until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with upstream_session() as session:
        forwarder = Forwarder(upstream, session)
        # A client that hangs up ends its request upstream too, which would be paid for otherwise.
        server = web.Server(forwarder.handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        await stopped.wait()
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
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        print("usage: python -m jelmore_proxy FD", file=sys.stderr)
        return 2
    try:
        upstream = Upstream.from_environment(os.environ)
        listener = socket.socket(fileno=int(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(f"jelmore proxy: {error}", file=sys.stderr)
        return 2
    uvloop.run(serve(upstream, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
