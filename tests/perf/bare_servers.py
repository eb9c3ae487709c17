"""The three servers alone: `python -m tests.perf.bare_servers HOME`. Prints, once all serve, how many seconds they took
without this interpreter's own start; ends them at SIGTERM.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

from jelmore_local.servers import Servers


async def _serve(home: Path) -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    began = time.monotonic()
    async with Servers(home):
        print(time.monotonic() - began, flush=True)
        await asked.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
