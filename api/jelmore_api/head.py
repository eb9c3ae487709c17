"""HEAD: whatever GET answers, without its body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Asks the application for GET, and lets it think that the client has gone once it begins with the body: an event
    stream would not end by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        over = asyncio.Event()

        async def receive_until_over() -> Message:
            await over.wait()
            return {"type": "http.disconnect"}

        async def send_start(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                over.set()

        first = True

        async def receive_body() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": b"", "more_body": False}
            return await receive_until_over()

        await self.app({**scope, "method": "GET"}, receive_body, send_start)
