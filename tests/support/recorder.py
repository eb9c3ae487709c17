"""A model that remembers what it was sent: the demo model behind a record of every request."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jelmore_local.demo.app import create_app
from tests.support.processes import wait_for


@dataclass
class Recorded:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """`requests` grows while it serves on loopback."""

    app: ASGIApp
    port: int = 0
    requests: list[Recorded] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def text(self) -> str:
        """All bodies."""
        return b"\n".join(request.body for request in self.requests).decode(errors="replace")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        recorded = Recorded(scope["path"], headers, b"")
        self.requests.append(recorded)

        async def receive_recorded() -> Message:
            message = await receive()
            recorded.body += message.get("body", b"")
            return message

        await self.app(scope, receive_recorded, send)


@contextmanager
def recording() -> Iterator[Recorder]:
    """In a thread of its own, so that a test may wait as it likes."""
    recorder = Recorder(create_app())
    config = uvicorn.Config(recorder, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        recorder.port = server.servers[0].sockets[0].getsockname()[1]
        yield recorder
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def recorder() -> Iterator[Callable[[], Recorder]]:
    """Makes one; all end with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(recording())
