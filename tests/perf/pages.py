"""Reading a session's log over HTTP, in pages of 1,000 events and as server-sent events, beside asyncpg that reads the
same rows and does nothing else.
"""

import asyncio
import time
from collections.abc import Iterator

import asyncpg
import httpx
import orjson
import uvloop

from tests.perf.lines import Order, small_lines, write_lines
from tests.perf.product import Session, running, scratch_folder, wait_until, with_stand_in
from tests.perf.report import Row, ratio_row
from tests.support.up import Up

PAGE = 1000
_EVENTS = 10_000
_ROUNDS = 5
_ROWS = """
    SELECT seq, id, event_type, session_id::text, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""


class _Log:
    """One session's log, read in three ways; each returns how many events it had."""

    def __init__(self, http: httpx.AsyncClient, database: "asyncpg.Connection[asyncpg.Record]", session: str) -> None:
        self._http = http
        self._database = database
        self._session = session

    async def pages(self) -> int:
        after = read = 0
        while True:
            answer = await self._http.get(
                f"/api/v1/session/{self._session}/events", params={"after": after, "limit": PAGE}
            )
            page = orjson.loads(answer.content)
            if not page["items"]:
                return read
            read += len(page["items"])
            after = page["next_after"]

    async def stream(self) -> int:
        """Up to `stream.ready`, which comes after all that is stored."""
        url, accept = f"/api/v1/session/{self._session}/events", {"Accept": "text/event-stream"}
        read, rest = 0, b""
        async with self._http.stream("GET", url, headers=accept) as answer:
            async for chunk in answer.aiter_raw():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    if b"stream.ready" in event:
                        return read
                    read += b"data:" in event
        raise ConnectionError("the stream ended early")

    async def rows(self) -> int:
        after = read = 0
        while found := await self._database.fetch(_ROWS, self._session, after, PAGE):
            read += len(found)
            after = found[-1]["seq"]
        return read


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder, with_stand_in(folder)) as up:
        session = Session(up)
        session.idle()
        write_lines(folder / "lines", small_lines(_EVENTS))
        session.send(Order(str(folder / "lines"), 0, 0).text())
        session.idle()
        wait_until(lambda: _stored(up, session) >= _EVENTS, "not all of the log is in PostgreSQL")
        rounds = uvloop.run(_rounds(up, session.id))
    for name, way in (("pages of 1,000 events", 0), ("server-sent events", 1)):
        pairs = [(round_[way], round_[2]) for round_ in rounds]
        yield ratio_row(f"reading the log in {name}, beside asyncpg alone, a 1,000", "ms", pairs, None)


def _stored(up: Up, session: Session) -> int:
    async def counted() -> int:
        connection = await asyncpg.connect(up.endpoints()["postgres"]["url"])
        count: int = await connection.fetchval("SELECT count(*) FROM events WHERE session_id = $1", session.id)
        await connection.close()
        return count

    return asyncio.run(counted())


async def _rounds(up: Up, session: str) -> list[tuple[float, ...]]:
    """Milliseconds a 1,000 events: pages, stream, rows; in turn, so that what else the machine does meets all."""
    database = await asyncpg.connect(up.endpoints()["postgres"]["url"])
    try:
        async with httpx.AsyncClient(base_url=up.url, timeout=60) as http:
            log = _Log(http, database, session)
            rounds = []
            for _ in range(_ROUNDS + 1):
                took = []
                for read in (log.pages, log.stream, log.rows):
                    began = time.monotonic()
                    count = await read()
                    took.append((time.monotonic() - began) * 1e6 / count)
                rounds.append(tuple(took))
    finally:
        await database.close()
    return rounds[1:]  # caches have been cold
