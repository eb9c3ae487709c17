"""A release of the chart on the test cluster, used as its notes say."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from jelmore_operator.identity.__main__ import write_files
from tests.support.api import until
from tests.support.cluster import Kubectl
from tests.support.helm import Helm

RELEASE = "jelmore"
IMAGES = {
    "image": {"repository": "docker.io/library/jelmore", "tag": "test", "pullPolicy": "Never"},
    "sessionImage": {"repository": "docker.io/library/jelmore-session", "tag": "test", "pullPolicy": "Never"},
}


@dataclass
class Release:
    """helm and kubectl without blocking the loop, which serves the model. `namespace`: of the release."""

    namespace: str
    helm: Helm
    kubectl: Kubectl
    kubectl_program: str

    async def run(self, *arguments: str, input: str | None = None) -> str:
        return await asyncio.to_thread(self.kubectl, "--namespace", self.namespace, *arguments, input=input)

    async def chart(self, *arguments: str | Path, values: object = None) -> str:
        return await asyncio.to_thread(self.helm.run, *arguments, "--namespace", self.namespace, values=values)

    async def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object; {} where there is none."""
        text = await self.run("get", kind, name, "--output=json", "--ignore-not-found")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    async def names(self, kinds: str, *arguments: str) -> set[str]:
        return set((await self.run("get", kinds, *arguments, "--output=name")).split())

    async def make_secrets(self, identity: Path, folder: Path) -> None:
        """Credentials, and the bus' as `python -m jelmore_operator.identity` makes it of keys that a server has."""
        folder.mkdir()
        shutil.copy(identity, folder / "nats-keys.json")
        write_files(folder, self.namespace)
        await self.run("create", "--filename", str(folder / "secret.yaml"))
        await self.run("create", "secret", "generic", "claude-credentials", "--from-literal=oauthToken=canary")

    async def token(self) -> str:
        """As the notes of the chart say."""
        await self.run("create", "serviceaccount", "me")
        role = f"--clusterrole={self.namespace}-{RELEASE}-user"
        await self.run("create", "rolebinding", "me", role, f"--serviceaccount={self.namespace}:me")
        return (await self.run("create", "token", "me", "--audience=jelmore")).strip()

    @contextlib.asynccontextmanager
    async def api(self, bearer: str) -> AsyncIterator[httpx.AsyncClient]:
        """The Service, through kubectl port-forward."""
        async with self.forwarded(f"service/{RELEASE}-api", 80) as address:
            headers = {"Authorization": f"Bearer {bearer}"}
            async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30) as http:
                yield http

    @contextlib.asynccontextmanager
    async def forwarded(self, what: str, port: int) -> AsyncIterator[str]:
        """HOST:PORT of this machine that leads there."""
        arguments = ("port-forward", "--namespace", self.namespace, what, f":{port}")
        process = await asyncio.create_subprocess_exec(
            self.kubectl_program, *arguments, stdout=asyncio.subprocess.PIPE, env=dict(self.helm.environment)
        )
        try:
            assert process.stdout is not None
            line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
            yield line.removeprefix("Forwarding from ").split(" ")[0]
        finally:
            process.terminate()
            await process.wait()


@pytest.fixture
async def release(
    helm: Helm, kubectl: Kubectl, cluster_bin: Path | None, kube_namespace: str
) -> AsyncIterator[Release]:
    """Its namespace is for operator, API and sessions. At the end the release is gone, and sessions are let go."""
    made = Release(kube_namespace, helm, kubectl, str(cluster_bin / "kubectl") if cluster_bin else "kubectl")
    yield made
    await made.chart("uninstall", RELEASE, "--ignore-not-found", "--wait")
    for name in await made.names("claudesessions"):
        await made.run("patch", name, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
        await made.run("delete", name, "--wait=false", "--ignore-not-found")


async def session(http: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    answer = await http.get(f"/api/v1/session/{session_id}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def turns(http: httpx.AsyncClient, session_id: str, count: int) -> None:
    """Returns once that many turns are over."""

    async def over() -> bool:
        now = await session(http, session_id)
        assert now["status"] != "failed", now
        return bool(now["status"] == "idle" and now["usage"]["turns"] >= count)

    await until(over, 90)


def moved(url: str, reachable: Callable[[int], str]) -> tuple[str, str, int]:
    """A URL of a server of this machine as pods reach it, with host and port."""
    parts = urlsplit(url)
    assert parts.port is not None
    there = reachable(parts.port)
    host, _, port = there.rpartition(":")
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@{there}" if login else there).geturl(), host, int(port)


def peer(host: str) -> list[dict[str, Any]]:
    """For a network policy."""
    return [{"ipBlock": {"cidr": f"{host}/32"}}]


def nats_values(url: str, reachable: Callable[[int], str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`nats` and `networkPolicy.nats` for a server of this machine."""
    there, host, port = moved(url, reachable)
    return {"url": there}, {"to": peer(host), "port": port}


@pytest.fixture
def model_values(demo_url: str, reachable: Callable[[int], str]) -> dict[str, Any]:
    """The model is this machine's, at an address that pods reach."""
    url, host, port = moved(demo_url, reachable)
    return {"anthropic": {"baseUrl": url}, "networkPolicy": {"model": {"to": peer(host), "port": port}}}
