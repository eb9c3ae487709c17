"""The API server of the tests' cluster by plain HTTP, for what kubectl hides: codes, warnings, and many requests."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.support.cluster import Kubectl
from tests.support.processes import wait_for

CRD = Path(__file__).resolve().parents[2] / "crds" / "claudesessions.yaml"


@dataclass(frozen=True)
class Refusal:
    """Why an API server said no. causes: field to messages, a line each."""

    code: int
    message: str
    causes: dict[str, str]

    @classmethod
    def of(cls, response: httpx.Response) -> Self | None:
        """None for what was accepted."""
        if response.is_success:
            return None
        status = response.json()
        causes = dict[str, str]()
        for cause in status.get("details", {}).get("causes", []):
            field = cause.get("field", "")
            causes[field] = f"{causes.get(field, '')}{cause['message']}\n"
        return cls(status["code"], status["message"], causes)


class SessionsHttp:
    """ClaudeSessions of one namespace. dry: everything is checked and nothing stored."""

    def __init__(self, client: httpx.Client, namespace: str, *, dry: bool = False) -> None:
        self._client = client
        self._dry = {"dryRun": "All"} if dry else {}
        self._path = f"/apis/jelmore.dev/v1alpha1/namespaces/{namespace}/claudesessions"

    def create(self, spec: object, name: str = "s", *, strict: bool = True) -> httpx.Response:
        body = {
            "apiVersion": "jelmore.dev/v1alpha1",
            "kind": "ClaudeSession",
            "metadata": {"name": name},
            "spec": spec,
        }
        validation = {"fieldValidation": "Strict"} if strict else {}
        return self._client.post(self._path, params=self._dry | validation, json=body)

    def patch(self, changes: object, name: str = "s") -> httpx.Response:
        """A merge patch of the whole object: null removes a field."""
        headers = {"content-type": "application/merge-patch+json"}
        return self._client.patch(f"{self._path}/{name}", params=self._dry, json=changes, headers=headers)

    def get(self, name: str = "s") -> dict[str, Any]:
        document: dict[str, Any] = self._client.get(f"{self._path}/{name}").raise_for_status().json()
        return document


@pytest.fixture(scope="session")
def session_crd(kubectl: Kubectl) -> None:
    """The cluster knows ClaudeSessions. Applied again by every worker, which changes nothing."""
    _define(kubectl)


@pytest.fixture
def crd_changes(session_crd: None, kubectl: Kubectl) -> Iterator[None]:
    """For a test that changes the definition itself: no other uses the cluster meanwhile, since what this definition
    does not know is dropped from every session, and it is put back (tests.support.cluster_share).
    """
    yield
    _define(kubectl)


def _define(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRD))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", f"--filename={CRD}")
    # What kubectl explains and validates with comes a second later.
    wait_for(lambda: "apis/jelmore.dev/v1alpha1" in kubectl("get", "--raw", "/openapi/v3"))


@pytest.fixture(scope="session")
def kube_http(kubeconfig: Path, cluster_bin: Path | None) -> Iterator[httpx.Client]:
    """`kubectl proxy` knows every way to log in."""
    program = str(cluster_bin / "kubectl") if cluster_bin else "kubectl"
    command = [program, "--kubeconfig", str(kubeconfig), "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            address = proxy.stdout.readline().strip().rpartition(" ")[2]
            with httpx.Client(base_url=f"http://{address}", timeout=30, trust_env=False) as client:
                yield client
        finally:
            proxy.terminate()


@pytest.fixture
def sessions_http(session_crd: None, kube_http: httpx.Client, kube_namespace: str) -> SessionsHttp:
    return SessionsHttp(kube_http, kube_namespace)


@pytest.fixture(scope="session")
def dry_sessions(session_crd: None, kube_http: httpx.Client) -> SessionsHttp:
    return SessionsHttp(kube_http, "default", dry=True)
