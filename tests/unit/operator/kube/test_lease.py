"""The Lease, with an API server that is a variable, and its own clock."""

import asyncio
from typing import Any

import pytest

from jelmore_operator.kube import lease as module
from jelmore_operator.kube.api import Api, ApiError, Document, Kind
from jelmore_operator.kube.lease import Lease, LeaseLost

pytestmark = pytest.mark.usefixtures("skipped_time")


class Server(Api):
    """Holds one Lease. `away`: every call fails."""

    def __init__(self) -> None:
        self.found: Document | None = None
        self.away = False
        self.version = 0
        self.answered: asyncio.Queue[str] = asyncio.Queue()

    async def get(self, kind: Kind, namespace: str, name: str) -> Document | None:
        self._answer()
        return self.found

    async def create(self, kind: Kind, document: Document) -> Document:
        self._answer()
        if self.found is not None:
            raise ApiError(409, "AlreadyExists", "")
        return self._store(document)

    async def replace(self, kind: Kind, document: Document) -> Document:
        self._answer()
        if self.found is None or self.found["metadata"] != document["metadata"]:
            raise ApiError(409, "Conflict", "")
        return self._store(document)

    def _answer(self) -> None:
        self.answered.put_nowait("away" if self.away else "there")
        if self.away:
            raise ApiError(0, "ClientConnectorError", "away")

    def _store(self, document: Document) -> Document:
        self.version += 1
        metadata = {"name": "jelmore-operator", "namespace": "n", "resourceVersion": str(self.version)}
        self.found = {**document, "metadata": metadata}
        return self.found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.02)
    monkeypatch.setattr(module, "_DEADLINE", 0.2)
    monkeypatch.setattr(module, "DURATION", 0.4)


@pytest.fixture
def server() -> Server:
    return Server()


async def answers(server: Server, count: int) -> None:
    """Waits for so many more calls."""
    while not server.answered.empty():
        server.answered.get_nowait()
    async with asyncio.timeout(5):
        for _ in range(count):
            await server.answered.get()


def spec(server: Server) -> dict[str, Any]:
    assert server.found is not None
    found: dict[str, Any] = server.found["spec"]
    return found


async def test_one_has_it_and_the_other_waits_until_it_is_let_go(server: Server) -> None:
    first, second = Lease(server, "n", "first"), Lease(server, "n", "second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    keeping = asyncio.create_task(first.keep())
    await answers(server, 20)
    assert spec(server)["holderIdentity"] == "first"
    assert not waiting.done()
    keeping.cancel()
    await first.release()
    await asyncio.wait_for(waiting, 5)
    assert (spec(server)["holderIdentity"], spec(server)["leaseTransitions"]) == ("second", 1)


async def test_one_that_is_not_renewed_runs_out(server: Server) -> None:
    await Lease(server, "n", "killed").acquire()
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(Lease(server, "n", "second").acquire(), 5)
    assert asyncio.get_running_loop().time() - began >= 0.4


async def test_it_is_lost_when_another_has_it(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    spec(server)["holderIdentity"] = "second"
    server._store(server.found or {})
    with pytest.raises(LeaseLost, match="another operator has the Lease"):
        await asyncio.wait_for(lease.keep(), 5)


async def test_it_is_lost_before_others_may_have_it_when_it_cannot_be_renewed(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    server.away = True
    began = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLost, match="could not be renewed"):
        await asyncio.wait_for(lease.keep(), 5)
    assert asyncio.get_running_loop().time() - began < 0.4


async def test_a_short_absence_of_the_api_server_is_no_loss(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    server.away = True
    await answers(server, 3)
    server.away = False
    await answers(server, 20)
    assert not keeping.done()
    keeping.cancel()


async def test_letting_go_of_what_cannot_be_reached_is_no_error(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    server.away = True
    await lease.release()
    await Lease(server, "n", "second").release()


async def test_a_renewal_that_was_broken_off_does_not_keep_the_next_one_waiting(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    server._store(server.found or {})  # the API server had it, and the answer was never seen
    await lease.release()
    assert spec(server)["holderIdentity"] == ""


async def test_what_is_lost_is_not_let_go(server: Server) -> None:
    lease = Lease(server, "n", "first")
    await lease.acquire()
    server.away = True
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(lease.keep(), 5)
    server.away = False
    await lease.release()
    assert spec(server)["holderIdentity"] == "first"  # it runs out: nobody may be hurried by one who was late
