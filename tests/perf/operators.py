"""What the operator costs for thousands of sessions, before an API server without a node, beside a kopf handler that
patches each session's status once.
"""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.perf.product import scratch_folder
from tests.perf.report import Row, limit_row, ratio_row
from tests.support.bare_kube import BareKube, programs
from tests.support.kube_operator import KubeOperator, operator_environment
from tests.support.many_sessions import ManySessions, cpu_seconds, many_sessions, memory_mib, scraped
from tests.support.own_nats import OwnNats, new_nats

CPU_RATIO = 1.5
_FEW, _MANY = 100, 1000
_IDLE_S = 30.0
_LIMIT_S = 600.0


def measure() -> Iterator[Row]:
    """Nothing, with a word on stderr, where there is no API server to be had."""
    found = programs()
    if found is None:
        print("the operator is not measured: there is no built cluster (see tests/cluster/README.md)", file=sys.stderr)
        return
    yield from asyncio.run(_measured(found))


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of `_MANY` sessions. at_rest: requests in `_IDLE_S`, with few and with many."""

    cpu_ms: float
    requests: float
    memory: float
    at_rest: tuple[float, float]


async def _measured(found: Path) -> list[Row]:
    with scratch_folder() as folder:
        kube, bus = BareKube(folder / "kube", found), _bus(folder)
        kube.folder.mkdir()
        try:
            kube.start()
            least = await _kopf(kube, bus)
            ours = await _ours(kube, bus, folder)
        finally:
            kube.end()
            bus.kill()
    pairs = [(ours.cpu_ms, least)]
    few, many = ours.at_rest
    return [
        ratio_row(f"operator's CPU a session ({_MANY}), create to pod; beside kopf, one patch", "ms", pairs, CPU_RATIO),
        limit_row("... its requests to the API server a session", "", ours.requests, None),
        limit_row(f"... its memory with {_MANY} sessions", "MiB", ours.memory, None),
        limit_row(f"the operator's requests in {_IDLE_S:.0f} s: {_FEW} idle sessions", "", few, None),
        limit_row(f"... {_MANY} idle sessions, more than that", "", many - few, 0.0),
    ]


def _bus(folder: Path) -> OwnNats:
    (folder / "bus").mkdir()
    bus = new_nats(folder / "bus")
    bus.identity.save(folder / "bus" / "nats-keys.json")
    bus.start()
    return bus


async def _kopf(kube: BareKube, bus: OwnNats) -> float:
    """Milliseconds of CPU a session."""
    namespace = kube.namespace()
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(kube.operator_kubeconfig)}
    command = [sys.executable, "-m", "tests.perf.bare_operator", namespace]
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    try:
        async with many_sessions(kube, bus, namespace) as many:
            await many.create([("first", {})])
            await many.until(lambda: _all_say(many, "seen"), _LIMIT_S)
            before = cpu_seconds(process.pid)
            await many.create((f"s{number}", {}) for number in range(_MANY))
            await many.until(lambda: _all_say(many, "seen"), _LIMIT_S)
            return 1000 * (cpu_seconds(process.pid) - before) / _MANY
    finally:
        process.kill()
        await process.wait()


async def _all_say(many: ManySessions, message: str) -> bool:
    await asyncio.sleep(1)  # a look costs the API server more than its answer is worth
    return all(each.get("status", {}).get("message") == message for each in await many.all("claudesessions"))


async def _ours(kube: BareKube, bus: OwnNats, folder: Path) -> _Cost:
    async with _operator(kube, bus, folder) as (many, process, port):
        await many.create((f"few{number}", {}) for number in range(_FEW))
        await _until_idle(many, port, _FEW)
        few = await _at_rest(kube)
        cpu, asked = cpu_seconds(process), kube.request_count()
        await many.create((f"s{number}", {}) for number in range(_MANY))
        await many.until_count("pods", _FEW + _MANY, _LIMIT_S)
        await many.until(lambda: _nothing_waits(port), _LIMIT_S)
        cpu_ms = 1000 * (cpu_seconds(process) - cpu) / _MANY
        requests = kube.requests(asked).total() / _MANY
        await _until_idle(many, port, _FEW + _MANY)
        return _Cost(cpu_ms, requests, memory_mib(process), (few, await _at_rest(kube)))


@asynccontextmanager
async def _operator(kube: BareKube, bus: OwnNats, folder: Path) -> AsyncIterator[tuple[ManySessions, int, int]]:
    """The sessions of its namespace, its process, and the port of its figures."""
    namespace, port = kube.namespace(), _free_port()
    environment = operator_environment(folder, kube.operator_kubeconfig, bus, namespace)
    environment |= {"JELMORE_NAMESPACES": namespace, "JELMORE_OPERATOR_METRICS_PORT": str(port)}
    operator = KubeOperator(environment, folder / "operator.log")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(operator.end)
        many = await stack.enter_async_context(many_sessions(kube, bus, namespace))
        process = await operator.start()
        yield many, process.pid, port


async def _until_idle(many: ManySessions, port: int, count: int) -> None:
    await many.until_count("pods", count, _LIMIT_S)
    await many.run()
    await many.until(lambda: _idle(port, count), _LIMIT_S)
    await asyncio.sleep(5)  # until the last words are said


async def _idle(port: int, count: int) -> bool:
    return (await scraped(port)).get("sessions idle") == count


async def _nothing_waits(port: int) -> bool:
    return (await scraped(port))["queue_depth"] == 0


async def _at_rest(kube: BareKube) -> float:
    before = kube.request_count()
    await asyncio.sleep(_IDLE_S)
    return float(kube.requests(before).total())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
