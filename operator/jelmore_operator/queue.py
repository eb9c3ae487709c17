"""Which sessions are to be looked at: a key is there once, however often it was asked for, and never with
two workers at a time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Hashable


class WorkQueue[K: Hashable]:
    """For one event loop. A key that is asked for while it is worked on is worked on again afterwards."""

    def __init__(self) -> None:
        self._ready: deque[tuple[K, float]] = deque()  # with the time since when
        self._queued: set[K] = set()
        self._busy: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._more = asyncio.Semaphore(0)

    def add(self, key: K) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if key in self._queued:
            return
        self._queued.add(key)
        if key not in self._busy:
            self._offer(key)

    def add_after(self, key: K, delay: float) -> None:
        """In `delay` seconds at the latest; an earlier date that is set already stands."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._timers.get(key)
        if key in self._queued or (timer is not None and timer.when() <= due):
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._due, key)

    async def get(self) -> K:
        """The next key; `done` must follow."""
        await self._more.acquire()
        key, _ = self._ready.popleft()
        self._queued.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._queued:
            self._offer(key)

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    @property
    def age(self) -> float:
        """Seconds that the first of them has waited; 0 where there is none."""
        return time.monotonic() - self._ready[0][1] if self._ready else 0.0

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _offer(self, key: K) -> None:
        self._ready.append((key, time.monotonic()))
        self._more.release()
