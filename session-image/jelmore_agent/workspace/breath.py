"""Long work in the event loop, in slices."""

import asyncio
import time

_SLICE = 0.005  # seconds


class Breath:
    """`due` says that the work has had the loop long enough; then await `pause`."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._until

    async def pause(self) -> None:
        await asyncio.sleep(0)
        self._until = time.monotonic() + _SLICE
