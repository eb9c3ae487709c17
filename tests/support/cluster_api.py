"""The API in front of a real cluster: with an account of its own that may no more than the chart gives it, through a
gate that can be shut, and with callers who may do this or that.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from jelmore_api.settings import Resources, Settings
from tests.support.api import RunningApi, serving, until
from tests.support.gate import Gate

type Kubectl = Callable[..., str]

#: What the API's account needs: docs/kubernetes.md and the chart say the same.
API_RULES = [
    {
        "apiGroups": ["jelmore.dev"],
        "resources": ["claudesessions"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]
ALL_VERBS = ("get", "list", "create", "update", "delete")


@dataclass(frozen=True)
class Cluster:
    """What a test of the API in a cluster works with. namespace: fresh, of this test."""

    kubectl: Kubectl
    namespace: str

    def caller(self, *verbs: str, namespace: str | None = None, secret: str | None = None) -> dict[str, str]:
        """The headers of a new caller who may do so much with sessions of the namespace, and read one Secret there."""
        at, name = namespace or self.namespace, f"caller-{uuid4().hex[:8]}"
        rules = [{"apiGroups": ["jelmore.dev"], "resources": ["claudesessions"], "verbs": list(verbs)}]
        if secret is not None:
            rules.append({"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": at}
        documents = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": at}},
            _rbac("Role", name, at, rules=[rule for rule in rules if rule["verbs"]]),
            _rbac("RoleBinding", name, at, roleRef=_role("Role", name), subjects=[subject]),
        ]
        self.apply(*documents)
        return self.headers(self.token(name, at))

    def everywhere(self) -> dict[str, str]:
        """The headers of a caller whom every namespace lets do everything."""
        name = f"everywhere-{self.namespace}"
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        rules = [{"apiGroups": ["jelmore.dev"], "resources": ["claudesessions"], "verbs": ["*"]}]
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": self.namespace}},
            _rbac("ClusterRole", name, None, rules=rules),
            _rbac("ClusterRoleBinding", name, None, roleRef=_role("ClusterRole", name), subjects=[subject]),
        )
        return self.headers(self.token(name, self.namespace))

    def token(self, account: str, namespace: str, audience: str = "jelmore") -> str:
        return self.kubectl("create", "token", account, "-n", namespace, "--audience", audience).strip()

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def apply(self, *documents: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))

    def session(self, name: str, **spec: Any) -> dict[str, Any]:
        """A ClaudeSession, to be applied."""
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", "metadata": metadata, "spec": spec}

    def read(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.kubectl("get", "cls", name, "-n", self.namespace, "-o", "json"))
        return document

    def names_of_accounts(self) -> list[str]:
        """Callers that were made."""
        output = self.kubectl(
            "get", "serviceaccounts", "-n", self.namespace, "-o", "jsonpath={.items[*].metadata.name}"
        )
        return sorted(name for name in output.split() if name.startswith("caller-"))

    def names(self) -> list[str]:
        output = self.kubectl("get", "cls", "-n", self.namespace, "-o", "jsonpath={.items[*].metadata.name}")
        return sorted(output.split())


def _role(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _rbac(kind: str, name: str, namespace: str | None, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **rest}


@pytest.fixture
def cluster(kubectl: Kubectl, session_crd: None, kube_namespace: str) -> Cluster:
    return Cluster(kubectl, kube_namespace)


@pytest.fixture
def another_namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"another-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def api_account(cluster: Cluster) -> Iterator[str]:
    """A token of an account that may what the API must, and nothing else."""
    name = f"jelmore-api-{cluster.namespace}"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": cluster.namespace}},
        _rbac("ClusterRole", name, None, rules=API_RULES),
        _rbac("ClusterRoleBinding", name, None, roleRef=_role("ClusterRole", name), subjects=[subject]),
    )
    yield cluster.kubectl("create", "token", name, "-n", cluster.namespace).strip()
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", name)
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", f"everywhere-{cluster.namespace}", "--ignore-not-found")


@pytest.fixture
async def kube_gate(cluster: Cluster) -> AsyncIterator[Gate]:
    """Between the API and the API server: shut, it is away."""
    server = json.loads(cluster.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"]["server"]
    async with Gate(server) as gate:
        yield gate


@pytest.fixture
def cluster_settings(
    api_settings: Settings, cluster: Cluster, api_account: str, kube_gate: Gate, tmp_path: Path
) -> Settings:
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    server = config["clusters"][0]["cluster"]
    server |= {"server": kube_gate.url, "tls-server-name": httpx.URL(server["server"]).host}
    config["users"][0]["user"] = {"token": api_account}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return api_settings.model_copy(
        update={"resources": Resources.KUBERNETES, "kubeconfig": str(path), "namespace": cluster.namespace}
    )


@asynccontextmanager
async def serving_cluster(settings: Settings, cluster: Cluster) -> AsyncIterator[RunningApi]:
    """As a caller who may do everything with sessions of the test's namespace."""
    async with serving(settings) as running:

        async def ready() -> bool:
            return (await running.http.get("/readyz")).status_code == 200

        await until(ready)
        running.http.headers.update(cluster.caller(*ALL_VERBS))
        yield running


@pytest.fixture
async def cluster_api(cluster_settings: Settings, cluster: Cluster) -> AsyncIterator[RunningApi]:
    async with serving_cluster(cluster_settings, cluster) as running:
        yield running
