"""The key proxy as a process, on a socket that the test holds."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

#: What must never be seen but by the upstream.
KEY = "sk-ant-the-real-one"

type Proxied = Callable[[str, str], AbstractAsyncContextManager[str]]


@pytest.fixture
def proxied(tmp_path: Path) -> Proxied:
    """`async with proxied(kind, upstream's URL) as url`."""

    @asynccontextmanager
    async def proxy(kind: str, upstream: str) -> AsyncIterator[str]:
        log = tmp_path / "proxy.log"
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("ab") as out:
            process = subprocess.Popen(  # noqa: ASYNC220 - a moment
                [sys.executable, "-I", "-m", "jelmore_proxy", str(listener.fileno())],
                env={
                    "PATH": os.environ["PATH"],
                    "HTTP_PROXY": "http://127.0.0.1:9",  # where nobody listens: it is not to be believed
                    "JELMORE_UPSTREAM_KIND": kind,
                    "JELMORE_UPSTREAM_TOKEN": KEY,
                    "JELMORE_UPSTREAM_URL": upstream,
                },
                pass_fds=(listener.fileno(),),
                stdout=out,
                stderr=out,
            )
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                process.terminate()
                assert await asyncio.to_thread(process.wait, 10) == 0
            finally:
                process.kill()
                process.wait()
        assert KEY not in log.read_text()
        assert "Traceback" not in log.read_text()

    return proxy
