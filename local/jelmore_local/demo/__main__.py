"""`python -m jelmore_local.demo --port 0`: print one line of JSON, serve until a signal."""

import argparse
import asyncio
import json
import os
import signal
import sys

from .serve import serve


async def run(port: int) -> None:
    """Print `{"url": ...}` once it serves, and go on until a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(port) as url:
        print(json.dumps({"url": url}), flush=True)
        await stop.wait()


def _port(text: str) -> int:
    port = int(text)
    if port not in range(65536):
        raise argparse.ArgumentTypeError(f"{port} is no port (0 to 65535)")
    return port


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m jelmore_local.demo", description=__doc__)
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1; 0 takes a free one")
    port: int = parser.parse_args().port
    try:
        asyncio.run(run(port))
    except OSError as error:
        print(
            f"The demo model cannot serve on port {port}: {os.strerror(error.errno or 0)}. Choose another --port.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
