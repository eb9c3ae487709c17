"""A session's pod beside the same pod made by kubectl, and what the operator asks of the API server for it.

On the cluster that the environment names, as `python -m tests.cluster run` sets it.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.perf.product import scratch_folder
from tests.perf.report import Row, limit_row, ratio_row
from tests.support.cluster import Kubectl
from tests.support.forwarder import Forwarder
from tests.support.kube_operator import SESSION, KubeOperator, operator_environment
from tests.support.kube_proxy import KubeProxy, kube_proxy
from tests.support.own_nats import OwnNats, new_nats

READY_RATIO = 1.3
WAKE_RATIO = 1.1
MOST_WRITES = 5.0
_ROUNDS = 5
_IDLE_S = 30.0
_MORE_SESSIONS = 4
_LIMIT_S = 120.0
_CRD = Path(__file__).parents[2] / "crds" / "claudesessions.yaml"
#: Set by the API server or the scheduler: not a part of what is applied.
_GIVEN = (
    "nodeName",
    "volumeName",
    "serviceAccount",
    "serviceAccountName",
    "priority",
    "preemptionPolicy",
    "tolerations",
)


def measure() -> Iterator[Row]:
    """Nothing, with a word on stderr, where there is no cluster."""
    if "JELMORE_TEST_KUBECONFIG" not in os.environ:
        print("pods are not measured: there is no cluster (see tests/cluster/README.md)", file=sys.stderr)
        return
    yield from asyncio.run(_measured())


@dataclass
class _Bench:
    kubectl: Kubectl
    proxy: KubeProxy
    operator: KubeOperator
    namespace: str

    async def run(self, *arguments: str, given: object = None) -> str:
        text = None if given is None else json.dumps(given)
        return await asyncio.to_thread(self.kubectl, "-n", self.namespace, *arguments, input=text)

    async def get(self, path: str) -> dict[str, Any] | None:
        """Past the proxy: not counted."""
        async with self.proxy.upstream.get(f"{self.proxy.server}{path}") as answer:
            found: dict[str, Any] | None = await answer.json() if answer.status == 200 else None
            return found

    async def pod(self, name: str) -> dict[str, Any] | None:
        return await self.get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    async def session(self, name: str) -> dict[str, Any] | None:
        return await self.get(f"/apis/jelmore.dev/v1alpha1/namespaces/{self.namespace}/claudesessions/{name}")

    async def ready(self, pod: str) -> None:
        await _until(self.pod, pod, lambda found: found is not None and _is_ready(found))

    async def idle(self, name: str) -> None:
        await _until(self.session, name, lambda found: (found or {}).get("status", {}).get("state") == "idle")

    async def create(self, name: str) -> float:
        """Seconds from the create by kubectl to the pod that is ready."""
        began = time.monotonic()
        manifest = {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", "metadata": {"name": name}}
        await self.run("apply", "-f", "-", given=manifest)
        await self.ready(f"claude-{name}")
        return time.monotonic() - began

    async def wake(self, name: str) -> float:
        """Seconds from the wish to wake by kubectl to the pod that is ready; it is put to sleep before that."""
        await self.suspend(name, True)
        await _until(self.session, name, lambda found: (found or {}).get("status", {}).get("state") == "hibernated")
        await _until(self.pod, f"claude-{name}", lambda found: found is None)
        began = time.monotonic()
        await self.suspend(name, False)
        await self.ready(f"claude-{name}")
        return time.monotonic() - began

    async def suspend(self, name: str, wish: bool) -> None:
        patch = json.dumps({"spec": {"lifecycle": {"suspend": wish}}})
        await self.run("patch", "claudesession", name, "--type=merge", "-p", patch)

    async def remove(self, name: str) -> None:
        await self.run("delete", "claudesession", name, "--wait=false")
        await _until(self.session, name, lambda found: found is None)
        await _until(self.pod, f"claude-{name}", lambda found: found is None)

    async def apply(self, name: str, objects: list[dict[str, Any]]) -> float:
        """The same for what the operator would have made, by kubectl alone."""
        began = time.monotonic()
        await self.run("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": objects})
        await self.ready(name)
        passed = time.monotonic() - began
        await self.run("delete", "pod,secret,persistentvolumeclaim", name, "--wait=false", "--grace-period=1")
        await _until(self.pod, name, lambda found: found is None)
        return passed

    async def made(self, name: str, copy: str) -> list[dict[str, Any]]:
        """What the operator made for a session, as manifests under another name."""
        kinds = ("persistentvolumeclaim", "secret", "pod")
        found = [json.loads(await self.run("get", kind, f"claude-{name}", "-o", "json")) for kind in kinds]
        return [_manifest(each, f"claude-{name}", copy) for each in found]


async def _until(get: Callable[[str], Any], name: str, holds: Callable[[dict[str, Any] | None], bool]) -> None:
    async with asyncio.timeout(_LIMIT_S):
        while not holds(await get(name)):  # noqa: ASYNC110 - what is waited for is in the cluster
            await asyncio.sleep(0.01)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _manifest(found: dict[str, Any], name: str, copy: str) -> dict[str, Any]:
    # Others' annotations say where the claim is bound, to start with.
    given = found["metadata"].get("annotations", {})
    ours = {key: value for key, value in given.items() if key.startswith("jelmore.dev/")}
    metadata = {"name": copy, "annotations": ours}
    kept = {key: value for key, value in found.items() if key not in ("metadata", "status")}
    if "spec" in kept:
        kept["spec"] = {key: value for key, value in kept["spec"].items() if key not in _GIVEN}
    text = json.dumps({**kept, "metadata": metadata})
    manifest: dict[str, Any] = json.loads(text.replace(f'"{name}"', f'"{copy}"'))
    return manifest


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[_Bench]:
    """The operator as a process, in front of a namespace of its own; gone at the end."""
    kubeconfig = Path(os.environ["JELMORE_TEST_KUBECONFIG"])
    programs = os.environ.get("JELMORE_TEST_BIN")
    kubectl = Kubectl(kubeconfig, f"{programs}/kubectl" if programs else "kubectl")
    namespace, bus = f"bench-{uuid.uuid4().hex[:8]}", _bus(folder)
    await (await bus.connect()).close()
    forwarder = Forwarder(os.environ["JELMORE_TEST_NODE_IP"])
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_CRD))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(_CRD))
    kubectl("create", "namespace", namespace)
    try:
        async with kube_proxy(kubeconfig) as proxy:
            url = f"nats://{os.environ['JELMORE_TEST_NODE_IP']}:{forwarder.forward(bus.port)}"
            operator = KubeOperator(_environment(folder, proxy, bus, namespace, url), folder / "operator.log")
            bench = _Bench(kubectl, proxy, operator, namespace)
            await bench.run("create", "secret", "generic", "claude-credentials", "--from-literal=oauthToken=x")
            await operator.start()
            yield bench
            await bench.run("delete", "claudesessions", "--all", "--wait=false")
            await _until(lambda _: bench.run("get", "claudesessions", "-o", "name"), "", lambda found: not found)
            await operator.end()
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
        forwarder.close()
        bus.kill()


def _bus(folder: Path) -> OwnNats:
    bus = new_nats(folder)
    bus.identity.save(folder / "nats-keys.json")
    bus.start()
    return bus


def _environment(folder: Path, proxy: KubeProxy, bus: OwnNats, namespace: str, url: str) -> dict[str, str]:
    return operator_environment(folder, proxy.kubeconfig(folder), bus, namespace) | {
        "JELMORE_NAMESPACES": namespace,
        "JELMORE_SESSION_NATS_URL": url,
        "JELMORE_SESSION_IMAGE": SESSION,
    }


async def _measured() -> list[Row]:
    with scratch_folder() as folder:
        async with _running(folder) as bench:
            await bench.create("warm")
            await bench.idle("warm")
            copies = await bench.made("warm", "copy")
            await bench.remove("warm")
            rounds = [await _round(bench, number, copies) for number in range(_ROUNDS)]
            writes = await _writes(bench)
            few, many = await _requests(bench)
    return [
        ratio_row(
            "ClaudeSession's create to its pod's Ready, beside the same pod by kubectl",
            "s",
            [(created, copied) for created, _, copied in rounds],
            READY_RATIO,
        ),
        ratio_row(
            "a hibernated one's wake to its pod's Ready, beside its create",
            "s",
            [(woken, created) for created, woken, _ in rounds],
            WAKE_RATIO,
        ),
        limit_row("the operator's writes from a create to a session that is ready", "", writes, MOST_WRITES),
        limit_row(f"the operator's requests in {_IDLE_S:.0f} s: 1 idle session", "", few, None),
        limit_row(f"... {1 + _MORE_SESSIONS} idle sessions, more than that", "", many - few, 0.0),
    ]


async def _round(bench: _Bench, number: int, copies: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Seconds of a create, of a wake, and of the same pod by kubectl."""
    name = f"s{number}"
    created = await bench.create(name)
    await bench.idle(name)
    woken = await bench.wake(name)
    await bench.idle(name)
    await bench.remove(name)
    return created, woken, await bench.apply("copy", copies)


async def _writes(bench: _Bench) -> float:
    before = len(bench.proxy.writes)
    await bench.create("first")
    await bench.idle("first")
    return float(len(bench.proxy.writes) - before)


async def _requests(bench: _Bench) -> tuple[float, float]:
    """With one idle session, and with some more; the Lease aside. Watches that last are no request."""
    few = await _counted(bench)
    for number in range(_MORE_SESSIONS):
        await bench.create(f"more{number}")
        await bench.idle(f"more{number}")
    return few, await _counted(bench)


async def _counted(bench: _Bench) -> float:
    await asyncio.sleep(5)  # until the last words of a start are said
    seen: list[str] = []

    def note(method: str, path: str) -> None:
        if "/leases" not in path:
            seen.append(f"{method} {path}")

    bench.proxy.fault = note
    await asyncio.sleep(_IDLE_S)
    bench.proxy.fault = lambda method, path: None
    return float(len(seen))
