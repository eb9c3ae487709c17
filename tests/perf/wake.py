"""A hibernated session's wake beside a new one's start, with the real CLI: to the first line that a client reads."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator

import websockets

from tests.perf.product import Session, running, scratch_folder, wait_until
from tests.perf.report import Row, ratio_row
from tests.support.up import Up

LIMIT = 1.1
_ROUNDS = 8
_LIMIT_S = 60.0
#: The least that the product takes: what a round waits for between its turns.
_HIBERNATE_AFTER = "1s"


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder) as up:
        _round(up)  # caches have been cold
        rounds = [_round(up) for _ in range(_ROUNDS)]
    yield ratio_row("input to a hibernated session, to its first output, beside a new session's", "s", rounds, LIMIT)


def _round(up: Up) -> tuple[float, float]:
    """Seconds of the wake, and of the start before it."""
    began = time.monotonic()
    session = Session(up, query="hello", lifecycle={"hibernate_after": _HIBERNATE_AFTER})
    created = asyncio.run(_first_output(up, session, 0)) - began
    wait_until(lambda: session.view()["status"] == "hibernated", "it does not hibernate")
    after = asyncio.run(_last(up, session))
    began = time.monotonic()
    session.send("hello again")
    woken = asyncio.run(_first_output(up, session, after)) - began
    # By then it may be hibernated again.
    wait_until(lambda: session.view()["status"] in ("idle", "hibernated"), "its second turn does not end")
    up.call("DELETE", f"/api/v1/session/{session.id}")
    return woken, created


async def _first_output(up: Up, session: Session, after: int) -> float:
    """When it was read."""
    async with _frames(up, session, after) as frames:
        async for frame in frames:
            if frame["event_type"] == "session.output":
                return time.monotonic()
    raise ConnectionError("the stream ended without any output")


async def _last(up: Up, session: Session) -> int:
    """The seq of the last event that there is."""
    last = 0
    async with _frames(up, session, 0) as frames:
        async for frame in frames:
            if frame["event_type"] == "stream.ready":
                break
            last = int(str(frame["seq"]))
    return last


@contextlib.asynccontextmanager
async def _frames(up: Up, session: Session, after: int) -> AsyncIterator[AsyncIterator[dict[str, object]]]:
    url = f"{up.url.replace('http', 'ws', 1)}/api/v1/session/{session.id}/stream?after={after}"
    async with asyncio.timeout(_LIMIT_S), websockets.connect(url, compression=None, max_size=None) as socket:

        async def read() -> AsyncIterator[dict[str, object]]:
            async for text in socket:
                yield json.loads(text)

        yield read()
