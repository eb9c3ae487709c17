"""What the operator costs for thousands of sessions, before an API server without a node, beside a kopf handler that
patches each session's status once. Both run at the same time, and get their sessions in turn.

A session needs more requests than one: what each costs, and what they cost with nothing else done, is told too.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import load_kube_config

from jelmore_operator.kube.api import SECRETS, Api
from tests.perf.product import scratch_folder
from tests.perf.report import Row, limit_row, ratio_row
from tests.support.bare_kube import BareKube, programs
from tests.support.kube_operator import KubeOperator, operator_environment
from tests.support.many_sessions import ManySessions, cpu_seconds, many_sessions, memory_mib, scraped
from tests.support.own_nats import OwnNats, new_nats
from tests.support.ports import free_port

CPU_RATIO = 1.5
_FEW, _ROUNDS, _ROUND = 100, 3, 300
_MANY = _FEW + _ROUNDS * _ROUND
_IDLE_S = 30.0
_LIMIT_S = 600.0


def measure() -> Iterator[Row]:
    """Nothing, with a word on stderr, where there is no API server to be had."""
    found = programs()
    if found is None:
        print("the operator is not measured: there is no built cluster (see tests/cluster/README.md)", file=sys.stderr)
        return
    yield from uvloop.run(_measured(found))


class _Cost(NamedTuple):
    """Of a session: milliseconds of CPU, and requests to the API server."""

    cpu: float
    requests: float


async def _measured(found: Path) -> list[Row]:
    with scratch_folder() as folder:
        kube, bus = BareKube(folder / "kube", found), _bus(folder)
        kube.folder.mkdir()
        try:
            kube.start()
            return await _compared(kube, bus, folder)
        finally:
            kube.end()
            bus.kill()


async def _compared(kube: BareKube, bus: OwnNats, folder: Path) -> list[Row]:
    pairs: list[tuple[_Cost, _Cost]] = []
    async with _kopf(kube, bus) as (theirs, kopf), _operator(kube, bus, folder) as (many, process, port):
        await many.create((f"few{number}", {}) for number in range(_FEW))
        await _until_idle(many, port, _FEW)
        few = await _at_rest(kube)
        for turn in range(_ROUNDS):
            ours = await _cost_of_ours(kube, many, process, port, turn)
            pairs.append((ours, await _cost_of_kopf(kube, theirs, kopf, turn)))
        alone = await _cost_of_requests(kube, many.namespace)
        await _until_idle(many, port, _MANY)
        memory, at_rest = memory_mib(process), await _at_rest(kube)
    cpu = [(ours.cpu, kopf.cpu) for ours, kopf in pairs]
    each = [(ours.cpu / ours.requests, kopf.cpu / kopf.requests) for ours, kopf in pairs]
    counts = [(ours.requests, kopf.requests) for ours, kopf in pairs]
    what = f"operator's CPU a session ({_ROUNDS} x {_ROUND}), create to pod; beside kopf, one patch"
    return [
        ratio_row(what, "ms", cpu, CPU_RATIO),
        ratio_row("... its requests to the API server a session", "", counts, None),
        ratio_row("... its CPU a request", "ms", each, None),
        limit_row("... a session's requests alone, with nothing else done", "ms", alone * counts[0][0], None),
        limit_row(f"... its memory with {_MANY} sessions", "MiB", memory, None),
        limit_row(f"the operator's requests in {_IDLE_S:.0f} s: {_FEW} idle sessions", "", few, None),
        limit_row(f"... {_MANY} idle sessions, more than that", "", at_rest - few, 0.0),
    ]


def _bus(folder: Path) -> OwnNats:
    (folder / "bus").mkdir()
    bus = new_nats(folder / "bus")
    bus.identity.save(folder / "bus" / "nats-keys.json")
    bus.start()
    return bus


@asynccontextmanager
async def _kopf(kube: BareKube, bus: OwnNats) -> AsyncIterator[tuple[ManySessions, int]]:
    """The sessions of its namespace, and its process."""
    namespace = kube.namespace()
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(kube.operator_kubeconfig)}
    command = [sys.executable, "-m", "tests.perf.bare_operator", namespace]
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    try:
        async with many_sessions(kube, bus, namespace) as many:
            await many.create([("first", {})])
            await many.until(lambda: _all_say(many, "seen"), _LIMIT_S)
            yield many, process.pid
    finally:
        process.kill()
        await process.wait()


async def _cost_of_kopf(kube: BareKube, many: ManySessions, process: int, turn: int) -> _Cost:
    cpu, asked = cpu_seconds(process), kube.request_count()
    await many.create((f"s{turn}-{number}", {}) for number in range(_ROUND))
    await many.until(lambda: _all_say(many, "seen"), _LIMIT_S)
    return _Cost(1000 * (cpu_seconds(process) - cpu) / _ROUND, kube.requests(asked).total() / _ROUND)


async def _all_say(many: ManySessions, message: str) -> bool:
    await asyncio.sleep(1)  # a look costs the API server more than its answer is worth
    return all(each.get("status", {}).get("message") == message for each in await many.all("claudesessions"))


async def _cost_of_ours(kube: BareKube, many: ManySessions, process: int, port: int, turn: int) -> _Cost:
    cpu, asked = cpu_seconds(process), kube.request_count()
    await many.create((f"s{turn}-{number}", {}) for number in range(_ROUND))
    await many.until_count("pods", _FEW + (turn + 1) * _ROUND, _LIMIT_S)
    await many.until(lambda: _nothing_waits(port), _LIMIT_S)
    return _Cost(1000 * (cpu_seconds(process) - cpu) / _ROUND, kube.requests(asked).total() / _ROUND)


async def _cost_of_requests(kube: BareKube, namespace: str) -> float:
    """Milliseconds of this process' CPU for one request as the operator makes them."""
    configuration = Configuration()
    await load_kube_config(config_file=str(kube.operator_kubeconfig), client_configuration=configuration)
    async with ApiClient(configuration) as client:
        api = Api(client)
        began = time.process_time()
        for number in range(_ROUND):
            metadata = {"name": f"alone{number}", "namespace": namespace}
            await api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        return 1000 * (time.process_time() - began) / _ROUND


@asynccontextmanager
async def _operator(kube: BareKube, bus: OwnNats, folder: Path) -> AsyncIterator[tuple[ManySessions, int, int]]:
    """The sessions of its namespace, its process, and the port of its figures."""
    namespace, port = kube.namespace(), free_port()
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
