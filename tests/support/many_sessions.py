"""Thousands of sessions before an API server without a node: made, said to run by the test in the place of kubelets and
agents, and deleted.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

from jelmore_contract.events import encode_json
from jelmore_contract.report import Report
from jelmore_contract.states import Phase, SessionState
from jelmore_contract.subjects import SessionKey, report_subject
from tests.support.bare_kube import BareKube
from tests.support.observations import report
from tests.support.own_nats import OwnNats

_AT_ONCE = 32
_SESSIONS = "/apis/jelmore.dev/v1alpha1/namespaces/{}/claudesessions"
_PATHS = {
    "claudesessions": _SESSIONS,
    "pods": "/api/v1/namespaces/{}/pods",
    "persistentvolumeclaims": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "secrets": "/api/v1/namespaces/{}/secrets",
}
KINDS = tuple(_PATHS)
_RUNNING = {"status": {"phase": "Running"}}
_MERGE = {"Content-Type": "application/merge-patch+json"}


@dataclass
class ManySessions:
    """All in one namespace."""

    http: httpx.AsyncClient
    bus: Client
    namespace: str

    async def create(self, specs: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """By name."""

        async def one(named: tuple[str, dict[str, Any]]) -> None:
            (await self.post(*named)).raise_for_status()

        await _all(one, specs)

    async def post(self, name: str, spec: dict[str, Any]) -> httpx.Response:
        body = {
            "apiVersion": "jelmore.dev/v1alpha1",
            "kind": "ClaudeSession",
            "metadata": {"name": name},
            "spec": spec,
        }
        path = _SESSIONS.format(self.namespace)
        return await self.http.post(path, params={"fieldValidation": "Strict"}, json=body)

    async def count(self, kind: str) -> int:
        """Without reading more than one of them."""
        found = await self._get(kind, limit=1)
        return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0))

    async def all(self, kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self._get(kind))["items"]
        return items

    async def run(self) -> None:
        """Every pod runs, and every agent says that its session is idle."""
        path = _PATHS["pods"].format(self.namespace)

        async def one(pod: dict[str, Any]) -> None:
            url = f"{path}/{pod['metadata']['name']}/status"
            (await self.http.patch(url, json=_RUNNING, headers=_MERGE)).raise_for_status()

        await _all(one, await self.all("pods"))
        await self.report(report())

    async def report(self, said: Report) -> None:
        """By every session's agent."""

        async def one(session: dict[str, Any]) -> None:
            key = SessionKey(self.namespace, session["spec"].get("sessionId") or session["metadata"]["uid"])
            await self.bus.jetstream().publish(report_subject(key), encode_json(said))

        await _all(one, await self.all("claudesessions"))

    async def delete(self) -> None:
        """All; their agents say that they have ended."""
        sessions = await self.all("claudesessions")
        (await self.http.delete(_SESSIONS.format(self.namespace))).raise_for_status()
        ended = encode_json(report(Phase.ENDED, SessionState.HIBERNATED, drained=True))

        async def one(session: dict[str, Any]) -> None:
            key = SessionKey(self.namespace, session["spec"].get("sessionId") or session["metadata"]["uid"])
            await self.bus.jetstream().publish(report_subject(key), ended)

        await _all(one, sessions)

    async def until(self, condition: Callable[[], Awaitable[bool]], limit: float) -> None:
        async with asyncio.timeout(limit):
            while not await condition():  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.2)

    async def until_count(self, kind: str, count: int, limit: float) -> None:
        async def reached() -> bool:
            return await self.count(kind) == count

        try:
            await self.until(reached, limit)
        except TimeoutError:
            raise AssertionError(f"{kind}: {await self.count(kind)}, not {count}, after {limit:.0f} s") from None

    async def until_left(self, kind: str, uids: set[str], limit: float) -> None:
        """Until there are these and no others."""
        found: set[str] = set()

        async def reached() -> bool:
            found.clear()
            found.update(each["metadata"]["uid"] for each in await self.all(kind))
            return found == uids

        try:
            await self.until(reached, limit)
        except TimeoutError:
            raise AssertionError(f"{kind} left: {len(found)}, and not {len(uids)}") from None

    async def _get(self, kind: str, **params: int) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(_PATHS[kind].format(self.namespace), params=params)).json()
        return found


async def _all[T](one: Callable[[T], Awaitable[None]], things: Iterable[T]) -> None:
    """Some at once."""
    for some in itertools.batched(things, _AT_ONCE):
        await asyncio.gather(*(one(thing) for thing in some))


@asynccontextmanager
async def many_sessions(kube: BareKube, bus: OwnNats, namespace: str) -> AsyncIterator[ManySessions]:
    client = await bus.connect()
    async with kube.client() as http:
        yield ManySessions(http, client, namespace)
    await client.close()


async def scraped(port: int) -> dict[str, float]:
    """The operator's figures, by name and the values of their labels."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        " ".join([each.name.removeprefix("jelmore_operator_"), *each.labels.values()]): each.value for each in samples
    }


def memory_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 2**20)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
