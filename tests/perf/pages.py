"""Reading a session's log over HTTP and WebSocket, beside asyncpg alone and beside the least service on top of it.

asyncpg alone is one connection in this process, asked for the same columns of the same events in pages of 1,000: no
JSON is made, and nothing is sent on. The least service (`bare_pages.py`) makes the same JSON of it and sends the same
bytes through the same server, to the same client here: httpx and websockets, which do not parse the events. What the
product does on top: who may read, whether the session is there, whether the stream has more than the mirror, metrics,
and the access log.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
import uvloop
from websockets.asyncio.client import connect

from jelmore_local.servers.ports import is_free
from tests.perf.bare_pages import ROWS
from tests.perf.lines import Order, small_lines, write_lines
from tests.perf.product import Session, running, scratch_folder, wait_until, with_stand_in
from tests.perf.report import Row, ratio_row
from tests.support.ports import free_port
from tests.support.up import Up

_PAGE = 1000
_EVENTS, _FEW = 10_000, 20
_ROUNDS = 7
_FIRST_PAGES = 100  # a round
_ROOT = Path(__file__).parents[2]

type Reading = Callable[[], Awaitable[int]]


class Log:
    """One session's log at a service, read in several ways; each returns how many events it had."""

    def __init__(self, http: httpx.AsyncClient, events: str, stream: str) -> None:
        self._http = http
        self._events = events
        self._stream = str(http.base_url.join(stream)).replace("http", "ws", 1)

    async def pages(self) -> int:
        after = read = 0
        while count := (page := await self._page(after, _PAGE)).count(b'{"seq":'):
            read += count
            after = int(page.rpartition(b'"next_after":')[2].rstrip(b"}"))
        return read

    async def first_page(self) -> int:
        return (await self._page(0, _FEW + 1)).count(b'{"seq":')

    async def _page(self, after: int, limit: int) -> bytes:
        answer = await self._http.get(self._events, params={"after": after, "limit": limit})
        answer.raise_for_status()
        return answer.content

    async def sse(self) -> int:
        """All that is stored: up to `stream.ready`, where there is one."""
        read, rest = 0, b""
        async with self._http.stream("GET", self._events, headers={"Accept": "text/event-stream"}) as answer:
            async for chunk in answer.aiter_raw():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    if b"stream.ready" in event:
                        return read
                    read += b"data:" in event
        return read

    async def frames(self) -> int:
        return await self._websocket(self._stream)

    async def batches(self) -> int:
        return await self._websocket(f"{self._stream}?batch=true")

    async def _websocket(self, url: str) -> int:
        read = 0
        async with connect(url, proxy=None, compression=None, max_size=None) as socket:
            async for frame in socket:
                if '"stream.ready"' in str(frame):
                    break
                read += str(frame).count('{"seq":')
        return read


class Rows:
    """The same by asyncpg alone."""

    def __init__(self, database: "asyncpg.Connection[asyncpg.Record]", session: str) -> None:
        self._database = database
        self._session = session

    async def all(self) -> int:
        after = read = 0
        while found := await self._database.fetch(ROWS, self._session, after, _PAGE):
            read += len(found)
            after = found[-1]["seq"]
        return read

    async def first(self) -> int:
        return len(await self._database.fetch(ROWS, self._session, 0, _FEW + 1))


class Measured(NamedTuple):
    """Milliseconds, a round each: of a way to read, of the least service's, of asyncpg's."""

    name: str
    rounds: list[tuple[float, float, float]]


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder, with_stand_in(folder)) as up:
        large, small = (_session(up, folder, count) for count in (_EVENTS, _FEW))
        with _least_service(up) as least:
            measured = uvloop.run(_all(up, least, large, small))
    for name, rounds in measured:
        for other, baseline in ((1, "the least service"), (2, "asyncpg alone")):
            pairs = [(round_[0], round_[other]) for round_ in rounds]
            yield ratio_row(f"{name}, beside {baseline}", "ms", pairs, None)


def _session(up: Up, folder: Path, events: int) -> str:
    """One whose log has at least so many events, all in PostgreSQL."""
    session = Session(up)
    session.idle()
    write_lines(folder / "lines", small_lines(events))
    session.send(Order(str(folder / "lines"), 0, 0).text())
    session.idle()
    wait_until(lambda: _stored(up, session) >= events, "not all of the log is in PostgreSQL")
    return session.id


def _stored(up: Up, session: Session) -> int:
    async def counted() -> int:
        connection = await asyncpg.connect(up.endpoints()["postgres"]["url"])
        count: int = await connection.fetchval("SELECT count(*) FROM events WHERE session_id = $1", session.id)
        await connection.close()
        return count

    return asyncio.run(counted())


@contextlib.contextmanager
def _least_service(up: Up) -> Iterator[str]:
    """Its URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.perf.bare_pages", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=_ROOT, text=True)
    try:
        assert process.stdin is not None
        process.stdin.write(up.endpoints()["postgres"]["url"] + "\n")
        process.stdin.close()
        wait_until(lambda: not is_free(port), "the least service's uvicorn does not listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _all(up: Up, least: str, large: str, small: str) -> list[Measured]:
    database = await asyncpg.connect(up.endpoints()["postgres"]["url"])
    try:
        async with httpx.AsyncClient(base_url=up.url, timeout=60) as ours, httpx.AsyncClient(base_url=least) as bare:
            log, few = (Log(ours, f"/api/v1/session/{s}/events", f"/api/v1/session/{s}/stream") for s in (large, small))
            bare_log, bare_few = (Log(bare, f"/{session}", f"/{session}") for session in (large, small))
            rows, few_rows = Rows(database, large), Rows(database, small)
            ways: tuple[tuple[str, Reading, Reading], ...] = (
                ("a log in pages of 1,000 events", log.pages, bare_log.pages),
                ("a log as server-sent events", log.sse, bare_log.sse),
                ("a log over WebSocket", log.frames, bare_log.frames),
                ("a log over WebSocket, many events a frame", log.batches, bare_log.sse),
            )
            measured = [
                Measured(f"{name}, a 1,000", await _rounds(_a_thousand, way, bare_way, rows.all))
                for name, way, bare_way in ways
            ]
            first = await _rounds(_median, few.first_page, bare_few.first_page, few_rows.first)
            measured.append(Measured(f"the first page of a log with {_FEW} events, p50", first))
    finally:
        await database.close()
    return measured


async def _rounds(took: Callable[[Reading], Awaitable[float]], *ways: Reading) -> list[tuple[float, float, float]]:
    """In turn, so that what else the machine does meets all; caches are cold in the first one."""
    rounds = []
    for number in range(_ROUNDS + 1):
        turns = (0, 1, 2) if number % 2 else (2, 1, 0)
        found = {way: await took(ways[way]) for way in turns}
        rounds.append((found[0], found[1], found[2]))
    return rounds[1:]


async def _a_thousand(read: Reading) -> float:
    """Milliseconds a 1,000 events."""
    began = time.monotonic()
    count = await read()
    return (time.monotonic() - began) * 1e6 / count


async def _median(read: Reading) -> float:
    """Milliseconds."""
    took = []
    for _ in range(_FIRST_PAGES):
        began = time.monotonic()
        await read()
        took.append((time.monotonic() - began) * 1e3)
    return statistics.median(took)
