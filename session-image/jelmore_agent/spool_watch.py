"""Tells when the spool grows: by inotify, or by looking at its size where there is none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from jelmore_agent.workspace.inotify import Inotify, Mask

_POLL = 0.05  # seconds


class SpoolWatch:
    """Follows one file at a time."""

    def __init__(self, inotify: Inotify, grown: Callable[[], None]) -> None:
        self._inotify = inotify
        self._grown = grown
        self._watch: int | None = None
        self._polling: asyncio.Task[None] | None = None

    def follow(self, path: Path) -> None:
        self.close()
        try:
            self._watch = self._inotify.add_watch(path, Mask.MODIFY, lambda *_: self._grown())
        except OSError:
            self._polling = asyncio.create_task(self._poll(path))

    def close(self) -> None:
        if self._watch is not None:
            self._inotify.remove_watch(self._watch)
            self._watch = None
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None

    async def _poll(self, path: Path) -> None:
        size = -1
        while True:
            if (now := path.stat().st_size) != size:
                size = now
                self._grown()
            await asyncio.sleep(_POLL)
