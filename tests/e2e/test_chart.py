"""The chart on a cluster: installed, used over REST, upgraded, uninstalled; operator and API as pods."""

import asyncio
import contextlib
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from jelmore_local.servers import Endpoints
from jelmore_operator.identity.__main__ import write_files
from tests.support.api import until
from tests.support.cluster import Kubectl
from tests.support.helm import CHART, Helm
from tests.support.scripts import bash, say, script, write

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(600)]

RELEASE = "jelmore"
WORK = script(
    write("%cwd%/note.txt", "a note\n"),
    bash("git init -q . && git add -A && git -c user.name=T -c user.email=t@example.invalid commit -q -m work"),
    say("All is done."),
)
EVENTS = {
    *("session.created", "session.state_changed", "session.input", "session.output"),
    *("session.file_modified", "session.git_activity", "session.turn_completed"),
}
#: Everything of the chart that can be listed.
KINDS = (
    "deployments,pods,services,serviceaccounts,secrets,networkpolicies,roles,rolebindings,clusterroles,"
    "clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
)


@dataclass
class Cluster:
    """helm and kubectl without blocking the loop, which serves the model."""

    namespace: str
    helm: Helm
    kubectl: Kubectl
    kubectl_program: str

    async def run(self, *arguments: str, input: str | None = None) -> str:
        return await asyncio.to_thread(self.kubectl, "--namespace", self.namespace, *arguments, input=input)

    async def release(self, *arguments: str | Path, values: object = None) -> str:
        return await asyncio.to_thread(self.helm.run, *arguments, "--namespace", self.namespace, values=values)

    async def get(self, *arguments: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self.run("get", *arguments, "--output=json"))
        return document

    async def names(self, kinds: str, *arguments: str) -> set[str]:
        return set((await self.run("get", kinds, *arguments, "--output=name")).split())


@pytest.fixture
async def cluster(
    helm: Helm, kubectl: Kubectl, cluster_bin: Path | None, kube_namespace: str
) -> AsyncIterator[Cluster]:
    """Its namespace is for operator, API and sessions. At the end the release is gone, and sessions are let go."""
    made = Cluster(kube_namespace, helm, kubectl, str(cluster_bin / "kubectl") if cluster_bin else "kubectl")
    yield made
    await made.release("uninstall", RELEASE, "--ignore-not-found", "--wait")
    for name in await made.names("claudesessions"):
        await made.run("patch", name, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
        await made.run("delete", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def values(
    kube_namespace: str, endpoints: Endpoints, database_url: str, demo_url: str, reachable: Callable[[int], str]
) -> dict[str, Any]:
    """The servers and the model are this machine's, at an address that pods reach."""

    def moved(url: str) -> tuple[str, str, int]:
        parts = urlsplit(url)
        assert parts.port is not None
        there = reachable(parts.port)
        host, _, port = there.rpartition(":")
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@{there}" if login else there).geturl(), host, int(port)

    def peer(host: str) -> list[dict[str, Any]]:
        return [{"ipBlock": {"cidr": f"{host}/32"}}]

    nats, nats_host, nats_port = moved(endpoints.nats_url)
    model, model_host, model_port = moved(demo_url)
    return {
        "namespaces": [kube_namespace],
        "image": {"repository": "docker.io/library/jelmore", "tag": "test", "pullPolicy": "Never"},
        "sessionImage": {"repository": "docker.io/library/jelmore-session", "tag": "test", "pullPolicy": "Never"},
        "nats": {"url": nats},
        "database": {"url": moved(database_url)[0]},
        "redis": {"url": moved(endpoints.redis_url)[0]},
        "anthropic": {"baseUrl": model},
        "networkPolicy": {
            "nats": {"to": peer(nats_host), "port": nats_port},
            "model": {"to": peer(model_host), "port": model_port},
        },
    }


async def make_secrets(cluster: Cluster, endpoints: Endpoints, folder: Path) -> None:
    """The bus' as `python -m jelmore_operator.identity` makes it, of the keys that the server has already."""
    folder.mkdir()
    shutil.copy(endpoints.nats_identity, folder / "nats-keys.json")
    write_files(folder, cluster.namespace)
    await cluster.run("create", "--filename", str(folder / "secret.yaml"))
    await cluster.run("create", "secret", "generic", "claude-credentials", "--from-literal=oauthToken=canary")


async def token(cluster: Cluster) -> str:
    """As the notes of the chart say."""
    await cluster.run("create", "serviceaccount", "me")
    role = f"--clusterrole={cluster.namespace}-{RELEASE}-user"
    await cluster.run("create", "rolebinding", "me", role, f"--serviceaccount={cluster.namespace}:me")
    return (await cluster.run("create", "token", "me", "--audience=jelmore")).strip()


@contextlib.asynccontextmanager
async def api(cluster: Cluster, bearer: str) -> AsyncIterator[httpx.AsyncClient]:
    """The Service, through kubectl port-forward."""
    arguments = ("port-forward", "--namespace", cluster.namespace, f"service/{RELEASE}-api", ":80")
    process = await asyncio.create_subprocess_exec(
        cluster.kubectl_program, *arguments, stdout=asyncio.subprocess.PIPE, env=dict(cluster.helm.environment)
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        address = line.removeprefix("Forwarding from ").split(" ")[0]
        headers = {"Authorization": f"Bearer {bearer}"}
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30) as http:
            yield http
    finally:
        process.terminate()
        await process.wait()


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


def changed_chart(folder: Path) -> Path:
    """The chart of a later version, whose definition has one more field."""
    shutil.copytree(CHART, folder)
    file = folder / "files" / "claudesessions.yaml"
    definition = yaml.safe_load(file.read_text())
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["status"]["properties"]["later"] = {"type": "string", "description": "Of a later version."}
    file.write_text(yaml.safe_dump(definition))
    return folder


async def nothing_left(cluster: Cluster) -> bool:
    """Of the release; another test may have one of the same name elsewhere."""
    ours = ("--all-namespaces", f"--selector=app.kubernetes.io/instance={RELEASE}", "--output=json")
    left = json.loads(await cluster.run("get", KINDS, *ours))["items"]
    return not any(cluster.namespace in json.dumps(item["metadata"]) for item in left)


async def knows_later(cluster: Cluster) -> bool:
    """Whether the cluster's definition is the later version's."""
    definition = await cluster.get("crd", "claudesessions.jelmore.dev")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "later" in schema["properties"]["status"]["properties"]


async def test_from_install_to_uninstall_and_back(
    cluster: Cluster, values: dict[str, Any], endpoints: Endpoints, tmp_path: Path
) -> None:
    await make_secrets(cluster, endpoints, tmp_path / "nats")
    # The definition may be there already, from other tests in this cluster.
    await cluster.release(
        "install", RELEASE, CHART, "--take-ownership", "--force-conflicts", "--wait", "--timeout=3m", values=values
    )
    bearer = await token(cluster)

    async with api(cluster, bearer) as http:
        answer = await http.post("/api/v1/session", json={"name": "first", "query": WORK, "allowed_tools": ["Bash"]})
        assert answer.status_code == 201, answer.text
        session_id = answer.json()["id"]
        await turns(http, session_id, 1)
        page = (await http.get(f"/api/v1/session/{session_id}/events", params={"limit": 500})).json()
        assert {event["event_type"] for event in page["items"]} >= EVENTS
        made = await cluster.get("claudesession", "first")
        assert made["metadata"]["uid"] == session_id
        assert made["status"]["state"] == "idle"

    # A session works on while operator and API are replaced, and the new ones know it.
    later = values | {"operator": {"replicas": 1}, "api": {"audience": "later"}}
    chart = changed_chart(tmp_path / "chart")
    await cluster.release("upgrade", RELEASE, chart, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    assert await knows_later(cluster)
    assert (await cluster.get("deployment", f"{RELEASE}-operator"))["spec"]["replicas"] == 1
    bearer = (await cluster.run("create", "token", "me", "--audience=later")).strip()
    async with api(cluster, bearer) as http:
        sent = {"text": script(say("Again.")), "idempotency_key": uuid.uuid4().hex}
        assert (await http.post(f"/api/v1/session/{session_id}/input", json=sent)).status_code == 202
        await turns(http, session_id, 2)
    await cluster.release("upgrade", RELEASE, CHART, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    assert not await knows_later(cluster)

    # Session, pod and definition stay; nothing else does.
    await cluster.release("uninstall", RELEASE, "--wait", "--timeout=3m")
    assert await cluster.names("crd", "claudesessions.jelmore.dev")
    assert (await cluster.get("claudesession", "first"))["metadata"]["uid"] == session_id
    assert (await cluster.get("pod", "claude-first"))["status"]["phase"] == "Running"
    # Pods go a moment after what they belong to.
    await until(lambda: nothing_left(cluster), 90)

    # Installed again, it finds the session.
    await cluster.release("install", RELEASE, CHART, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    async with api(cluster, bearer) as http:
        assert (await session(http, session_id))["usage"]["turns"] == 2
