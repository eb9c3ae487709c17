"""`python -m jelmore_operator.check`: what it says of what it finds, on a real NATS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from aiohttp import web

from jelmore_api.persister.stream import stream_config
from jelmore_bus import Access, BusClient
from jelmore_local.servers.nats import Nats
from jelmore_operator import check
from jelmore_operator.check import Wrong, check_api, check_bus, check_definition, check_lease
from jelmore_operator.identity import Identity
from jelmore_operator.kube.api import Api, ApiError, Document, Kind, Listed
from tests.support.ports import free_port


@asynccontextmanager
async def api_that_says(status: int, body: object) -> AsyncIterator[str]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == "/readyz"
        return web.json_response(body, status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def report(message: str | None) -> dict[str, object]:
    return {"dependencies": {"nats": {"ok": True}, "redis": {"ok": message is None, "message": message}}}


async def test_an_api_that_is_ready() -> None:
    async with api_that_says(200, report(None)) as url:
        assert "has all that it needs" in await check_api(url)


async def test_an_api_that_misses_something() -> None:
    async with api_that_says(503, report("does not answer")) as url:
        with pytest.raises(Wrong, match="redis: does not answer"):
            await check_api(url)


async def test_no_api() -> None:
    with pytest.raises(Wrong, match="look at its pods"):
        await check_api(f"http://127.0.0.1:{free_port()}")


async def test_something_else_in_its_place() -> None:
    async with api_that_says(200, ["hello"]) as url:
        with pytest.raises(Wrong, match="does not answer"):
            await check_api(url)


async def test_a_bus_with_the_log(fresh_nats: Nats) -> None:
    client = await nats.connect(fresh_nats.url, user_credentials=str(fresh_nats.credentials))
    await client.jetstream().add_stream(stream_config(1))
    await client.close()
    assert "the log has 0 messages" in await check_bus(Access(fresh_nats.url, str(fresh_nats.credentials)))


async def test_a_bus_without_the_log(fresh_nats: Nats) -> None:
    with pytest.raises(Wrong, match="no stream JELMORE"):
        await check_bus(Access(fresh_nats.url, str(fresh_nats.credentials)))


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for NATS is over as soon as one attempt has come to something, however long that takes."""

    class Once(BusClient):
        async def open(self, *arguments: Any, **options: Any) -> None:
            opening = asyncio.create_task(super().open(*arguments, **options))
            await self.attempted.wait()
            opening.cancel()
            await asyncio.wait({opening})
            raise TimeoutError

    monkeypatch.setattr(check, "BusClient", Once)


@pytest.mark.usefixtures("once")
async def test_a_bus_that_knows_other_keys(fresh_nats: Nats, tmp_path: Path) -> None:
    (tmp_path / "core.creds").write_text(Identity.generate().core_credentials())
    with pytest.raises(Wrong, match="refuses these credentials"):
        await check_bus(Access(fresh_nats.url, str(tmp_path / "core.creds")))


@pytest.mark.usefixtures("once")
async def test_no_bus(tmp_path: Path) -> None:
    (tmp_path / "core.creds").write_text(Identity.generate().core_credentials())
    with pytest.raises(Wrong, match="refuses connections"):
        await check_bus(Access(f"nats://127.0.0.1:{free_port()}", str(tmp_path / "core.creds")))


class Cluster(Api):
    """With a Lease that somebody renews, or not."""

    def __init__(self, refusal: ApiError | None = None, holder: str | None = None, renewed: bool = True) -> None:
        self._refusal = refusal
        self._holder = holder
        self._renewed = renewed
        self._version = 1

    async def list_all(self, kind: Kind, namespace: str | None, selector: str = "", newest: bool = False) -> Listed:
        if self._refusal is not None:
            raise self._refusal
        return Listed(1, [])

    async def get(self, kind: Kind, namespace: str, name: str) -> Document | None:
        if self._holder is None:
            return None
        self._version += self._renewed
        return {"metadata": {"resourceVersion": str(self._version)}, "spec": {"holderIdentity": self._holder}}


async def test_a_cluster_that_serves_sessions() -> None:
    assert "serves claudesessions" in await check_definition(Cluster(), ("team-a",))
    assert "serves claudesessions" in await check_definition(Cluster(), ())


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (ApiError(404, "NotFound", "no such resource"), "install the chart with crd.install=true"),
        (ApiError(403, "Forbidden", "cannot list"), "may not list claudesessions in team-a"),
    ],
)
async def test_a_cluster_that_does_not(refusal: ApiError, sentence: str) -> None:
    with pytest.raises(Wrong, match=sentence):
        await check_definition(Cluster(refusal), ("team-a",))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, skipped_time: None) -> None:
    monkeypatch.setattr(check, "_EVERY", 0.01)
    monkeypatch.setattr("jelmore_operator.kube.lease.DURATION", 0.2)


async def test_an_operator_at_work(quick: None) -> None:
    assert "operator-1 holds the Lease" in await check_lease(Cluster(holder="operator-1"), "jelmore")


@pytest.mark.parametrize(
    ("cluster", "sentence"),
    [
        (Cluster(), "No operator has ever worked here"),
        (Cluster(holder="operator-1", renewed=False), "No operator is at work"),
        (Cluster(holder=""), "No operator is at work"),
    ],
)
async def test_no_operator_at_work(quick: None, cluster: Cluster, sentence: str) -> None:
    with pytest.raises(Wrong, match=sentence):
        await check_lease(cluster, "jelmore")
