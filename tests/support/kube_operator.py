"""The operator as a process of its own, before a real cluster, and what it makes there."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube_proxy import KubeProxy, kube_proxy
from tests.support.own_nats import OwnNats, new_nats
from tests.support.processes import wait_for

#: An image that is there on every test cluster, without anything of Jelmore's in it.
PLAIN = "docker.io/library/pause:test"
SESSION = "docker.io/library/jelmore-session:test"


@dataclass
class KubeOperator:
    """`environment` may be changed before a start."""

    environment: dict[str, str]
    log: Path
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[list[int]]:
        """One that is started again a second after it has ended, as a Deployment's is; gives the exit codes so far."""
        codes: list[int] = []

        async def keep() -> None:
            while True:
                codes.append(await (await self.start()).wait())
                await asyncio.sleep(1)

        keeping = asyncio.create_task(keep())
        try:
            yield codes
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))

    async def start(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "jelmore_operator", env=self.environment, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)

    async def end(self) -> None:
        self.kill()
        for process in self.processes:
            await process.wait()

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def operator_environment(folder: Path, kubeconfig: Path, bus: OwnNats, namespace: str) -> dict[str, str]:
    """Of an operator whose own namespace is `namespace`, and which sees sessions everywhere."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "KUBECONFIG": str(kubeconfig),
        "JELMORE_NAMESPACE": namespace,
        "JELMORE_NATS_URL": bus.url,
        "JELMORE_NATS_CREDENTIALS": str(bus.folder / "core.creds"),
        "JELMORE_NATS_IDENTITY": str(bus.folder / "nats-keys.json"),
        "JELMORE_SESSION_IMAGE": PLAIN,
        "JELMORE_IMAGE_PULL_POLICY": "Never",
    }


def session_manifest(namespace: str, name: str = "a", **spec: Any) -> str:
    metadata = {"name": name, "namespace": namespace}
    return json.dumps(
        {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", "metadata": metadata, "spec": spec}
    )


class Objects:
    """Reads what is in the namespace of a test."""

    def __init__(self, kubectl: Callable[..., str], namespace: str) -> None:
        self._kubectl = kubectl
        self.namespace = namespace

    def all(self, kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self._kubectl("-n", self.namespace, "get", kind, "-o", "json"))[
            "items"
        ]
        return items

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return next((each for each in self.all(kind) if each["metadata"]["name"] == name), None)

    def status(self, name: str = "a") -> dict[str, Any]:
        found = self.get("claudesessions", name)
        status: dict[str, Any] = found.get("status", {}) if found else {}
        return status

    def conditions(self, name: str = "a") -> dict[str, str]:
        return {each["type"]: each["status"] for each in self.status(name).get("conditions", ())}

    def events(self) -> list[str]:
        """Reasons of the sessions' own Events, in the order in which they were made: their times are whole seconds, and
        their names random.
        """
        ours = [e for e in self.all("events") if e["involvedObject"]["kind"] == "ClaudeSession"]
        return [e["reason"] for e in sorted(ours, key=lambda e: int(e["metadata"]["resourceVersion"]))]


async def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    """Looks again and again, off the event loop: kubectl takes its time."""
    await asyncio.to_thread(wait_for, condition, limit)


@pytest.fixture
async def proxy(kubeconfig: Path) -> AsyncIterator[KubeProxy]:
    async with kube_proxy(kubeconfig) as running:
        yield running


@pytest.fixture
async def operator_bus(tmp_path: Path) -> AsyncIterator[OwnNats]:
    """A NATS of the test's own, with the stream in it."""
    (tmp_path / "bus").mkdir()
    server = new_nats(tmp_path / "bus")
    server.identity.save(tmp_path / "bus" / "nats-keys.json")
    server.start()
    await (await server.connect()).close()
    yield server
    server.kill()


@pytest.fixture
def own_namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """Where the operator's Lease is."""
    name = f"o-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def kube_operator(
    proxy: KubeProxy,
    operator_bus: OwnNats,
    session_crd: None,
    kube_namespace: str,
    own_namespace: str,
    tmp_path: Path,
) -> AsyncIterator[KubeOperator]:
    """Not started yet. It goes through `proxy`, and sees the sessions of `kube_namespace` alone."""
    environment = operator_environment(tmp_path, proxy.kubeconfig(tmp_path), operator_bus, own_namespace)
    environment["JELMORE_NAMESPACES"] = kube_namespace
    operator = KubeOperator(environment, tmp_path / "operator.log")
    yield operator
    await operator.end()


@pytest.fixture
def session_operator(
    kube_operator: KubeOperator, operator_bus: OwnNats, reachable: Callable[[int], str]
) -> KubeOperator:
    """One whose sessions run: with the image of sessions, and a bus that pods reach."""
    kube_operator.environment["JELMORE_SESSION_IMAGE"] = SESSION
    kube_operator.environment["JELMORE_SESSION_NATS_URL"] = f"nats://{reachable(operator_bus.port)}"
    return kube_operator


@pytest.fixture
def objects(kubectl: Callable[..., str], kube_namespace: str) -> Objects:
    return Objects(kubectl, kube_namespace)
