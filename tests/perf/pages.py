"""Reading a session's log over HTTP and WebSocket, beside asyncpg that reads the same rows and does nothing else.

The baseline is one connection of asyncpg in this process, asked for the same columns of the same events in pages of
1,000: no JSON is made, nothing is sent on, nobody is asked who may read. Our side is all that a client waits for: HTTP,
middleware, PostgreSQL, the JSON, whether the stream has more, and the reading here, by httpx and websockets. Neither
side parses the events. A first page is also measured beside `GET /healthz`: what HTTP and middleware take of it.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import uvloop
from websockets.asyncio.client import connect

from tests.perf.lines import Order, small_lines, write_lines
from tests.perf.product import Session, running, scratch_folder, wait_until, with_stand_in
from tests.perf.report import Row, ratio_row
from tests.support.up import Up

PAGE = 1000
_EVENTS, _FEW = 10_000, 20
_ROUNDS = 5
_FIRST_PAGES = 100  # a round
_ROWS = """
    SELECT seq, id, event_type, session_id::text, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""

type Reading = Callable[[], Awaitable[int]]


class _Log:
    """One session's log, read in several ways; each returns how many events it had."""

    def __init__(self, http: httpx.AsyncClient, database: "asyncpg.Connection[asyncpg.Record]", session: str) -> None:
        self._http = http
        self._database = database
        self._session = session
        self._url = f"/api/v1/session/{session}"

    async def pages(self) -> int:
        after = read = 0
        while count := (page := await self.page(after, PAGE)).count(b'{"seq":'):
            read += count
            after = int(page.rpartition(b'"next_after":')[2].rstrip(b"}"))
        return read

    async def page(self, after: int, limit: int) -> bytes:
        answer = await self._http.get(f"{self._url}/events", params={"after": after, "limit": limit})
        answer.raise_for_status()
        return answer.content

    async def stream(self) -> int:
        """Up to `stream.ready`, which comes after all that is stored."""
        read, rest = 0, b""
        async with self._http.stream("GET", f"{self._url}/events", headers={"Accept": "text/event-stream"}) as answer:
            async for chunk in answer.aiter_raw():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    if b"stream.ready" in event:
                        return read
                    read += b"data:" in event
        raise ConnectionError("the stream ended early")

    async def frames(self, batch: bool) -> int:
        """The same over the WebSocket."""
        base = str(self._http.base_url).replace("http", "ws", 1).rstrip("/")
        url, read = f"{base}{self._url}/stream?batch={str(batch).lower()}", 0
        async with connect(url, proxy=None, compression=None, max_size=None) as socket:
            async for frame in socket:
                if '"stream.ready"' in str(frame):
                    return read
                read += str(frame).count('{"seq":')
        raise ConnectionError("the stream ended early")

    async def rows(self) -> int:
        after = read = 0
        while found := await self._database.fetch(_ROWS, self._session, after, PAGE):
            read += len(found)
            after = found[-1]["seq"]
        return read

    async def first_page(self) -> int:
        return (await self.page(0, _FEW)).count(b'{"seq":')

    async def first_rows(self) -> int:
        return len(await self._database.fetch(_ROWS, self._session, 0, _FEW))

    async def healthz(self) -> int:
        return len((await self._http.get("/healthz")).content)


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder, with_stand_in(folder)) as up:
        large, small = (_session(up, folder, count) for count in (_EVENTS, _FEW))
        rounds, first = uvloop.run(_measured(up, large, small))
    ways = ("pages of 1,000 events", "server-sent events", "WebSocket frames", "WebSocket frames of many (batch)")
    for way, name in enumerate(ways):
        pairs = [(round_[way], round_[-1]) for round_ in rounds]
        yield ratio_row(f"reading the log in {name}, beside asyncpg alone, a 1,000", "ms", pairs, None)
    for other, name in ((1, "asyncpg alone"), (2, "GET /healthz")):
        pairs = [(round_[0], round_[other]) for round_ in first]
        yield ratio_row(f"the first page of a small session ({_FEW} events), beside {name}, p50", "ms", pairs, None)


def _session(up: Up, folder: Path, events: int) -> str:
    """One whose log has at least so many events, all in PostgreSQL."""
    session = Session(up)
    session.idle()
    write_lines(folder / "lines", small_lines(events))
    session.send(Order(str(folder / "lines"), 0, 0).text())
    session.idle(turns=1)
    wait_until(lambda: _stored(up, session) >= events, "not all of the log is in PostgreSQL")
    return session.id


def _stored(up: Up, session: Session) -> int:
    async def counted() -> int:
        connection = await asyncpg.connect(up.endpoints()["postgres"]["url"])
        count: int = await connection.fetchval("SELECT count(*) FROM events WHERE session_id = $1", session.id)
        await connection.close()
        return count

    return asyncio.run(counted())


async def _measured(up: Up, large: str, small: str) -> tuple[list[list[float]], list[list[float]]]:
    """A round each: milliseconds a 1,000 events by way, rows last; of a first page, its rows, HTTP alone. In turn, so
    that what else the machine does meets all.
    """
    database = await asyncpg.connect(up.endpoints()["postgres"]["url"])
    try:
        async with httpx.AsyncClient(base_url=up.url, timeout=60) as http:
            log, few = _Log(http, database, large), _Log(http, database, small)
            whole = (log.pages, log.stream, lambda: log.frames(False), lambda: log.frames(True), log.rows)
            rounds = [[await _a_thousand(way) for way in whole] for _ in range(_ROUNDS + 1)]
            once = (few.first_page, few.first_rows, few.healthz)
            first = [[await _median(way) for way in once] for _ in range(_ROUNDS + 1)]
    finally:
        await database.close()
    return rounds[1:], first[1:]  # caches have been cold


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
