"""The least that hands out the same bytes with the same libraries: asyncpg's rows, spliced into JSON, through uvicorn.

    python -m tests.perf.bare_pages PORT    the database's URL is read from stdin

`GET /SESSION?after=&limit=` is a page, with `Accept: text/event-stream` the whole log; a WebSocket gets it an event a
frame. Nobody is asked who may read, nothing is counted or logged, and what the mirror does not have yet is missing.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import uvloop

from tests.perf.bare_server import serve_bare

ROWS = """
    SELECT seq, id, event_type, session_id::text, timestamp, encoding, payload FROM events
    WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
_PAGE = 500

type Event = tuple[int, str, str]  # seq, type, JSON


class App:
    def __init__(self, database: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._database = database

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        session = scope["path"].strip("/")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            async for page in self._all(session):
                for _, _, text in page:
                    await send({"type": "websocket.send", "text": text})
            await send({"type": "websocket.close"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if (b"accept", b"text/event-stream") in scope["headers"]:
            async for page in self._all(session):
                text = "".join([f"id: {seq}\nevent: {kind}\ndata: {text}\n\n" for seq, kind, text in page])
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        asked = parse_qs(scope["query_string"].decode())
        page = await self._page(session, int(asked["after"][0]), int(asked["limit"][0]))
        last = page[-1][0] if page else int(asked["after"][0])
        text = f'{{"items":[{",".join([text for _, _, text in page])}],"next_after":{last}}}'
        await send({"type": "http.response.body", "body": text.encode()})

    async def _page(self, session: str, after: int, limit: int) -> list[Event]:
        return [(row[0], row[2], _json(*row)) for row in await self._database.fetch(ROWS, session, after, limit)]

    async def _all(self, session: str) -> AsyncIterator[list[Event]]:
        after = 0
        while page := await self._page(session, after, _PAGE):
            yield page
            after = page[-1][0]


def _json(seq: int, event_id: str, kind: str, session: str, timestamp: str, encoding: str | None, payload: str) -> str:
    mark = f'"encoding":"{encoding}",' if encoding else ""
    return (
        f'{{"seq":{seq},"id":"{event_id}","event_type":"{kind}","session_id":"{session}",'
        f'"timestamp":"{timestamp}",{mark}"payload":{payload}}}'
    )


async def serve(port: int, database_url: str) -> None:
    await serve_bare(App(await asyncpg.connect(database_url)), port)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.stdin.readline().strip()))
