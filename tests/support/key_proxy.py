"""The key proxy as a process, on sockets that the test holds, with a Secret that the test exchanges."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from tests.support.mounted_secret import MountedSecret

#: What must never be seen but by the upstream.
KEY = "sk-ant-the-real-one"


@dataclass(frozen=True)
class KeyProxy:
    """memory: bytes that the process has resident."""

    url: str
    metrics_url: str
    memory: Callable[[], int]
    secret: MountedSecret

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def figures(self) -> dict[str, float]:
        """What it has counted: samples by name, with their labels' values behind it; those that are 0 left out."""
        async with ClientSession() as session, session.get(f"{self.metrics_url}/metrics") as response:
            text = await response.text()
        assert KEY not in text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {
            " ".join([sample.name.removeprefix("jelmore_proxy_"), *sample.labels.values()]): sample.value
            for sample in samples
            if sample.value and not sample.name.endswith(("_created", "_bucket"))
        }


type Proxied = Callable[[str, str], AbstractAsyncContextManager[KeyProxy]]


@pytest.fixture
def proxied(tmp_path: Path) -> Proxied:
    """`async with proxied(kind, upstream's URL) as proxy`."""

    @asynccontextmanager
    async def proxy(kind: str, upstream: str) -> AsyncIterator[KeyProxy]:
        log = tmp_path / "proxy.log"
        secret = MountedSecret(tmp_path / "upstream-secret")
        secret.put(**({"apiKey": KEY} if kind == "apiKey" else {"token": KEY, "baseUrl": upstream}))
        ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        numbers = [port.fileno() for port in ports]
        with ports[0], ports[1], log.open("ab") as out:
            process = subprocess.Popen(  # noqa: ASYNC220 - a moment
                [sys.executable, "-I", "-m", "jelmore_proxy", *map(str, numbers)],
                env={
                    "PATH": os.environ["PATH"],
                    "HTTP_PROXY": "http://127.0.0.1:9",  # where nobody listens: it is not to be believed
                    "JELMORE_UPSTREAM_KIND": kind,
                    "JELMORE_UPSTREAM_SECRET": str(secret.folder),
                    "JELMORE_UPSTREAM_URL": upstream if kind == "apiKey" else "",
                },
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            urls = [f"http://127.0.0.1:{port.getsockname()[1]}" for port in ports]
            try:
                memory = psutil.Process(process.pid).memory_info
                yield KeyProxy(urls[0], urls[1], lambda: memory().rss, secret)
                process.terminate()
                assert await asyncio.to_thread(process.wait, 10) == 0
            finally:
                process.kill()
                process.wait()
        assert KEY not in log.read_text()
        assert "Traceback" not in log.read_text()

    return proxy
