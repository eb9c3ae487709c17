"""The Kubernetes that `python -m tests.cluster run` or the environment names, and what tests do with it."""

import contextlib
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.forwarder import Forwarder

_KUBECTL_S = 60.0


class KubectlFailed(Exception):
    """With what kubectl said."""


class Kubectl:
    """`kubectl("get", "pods", "-n", name)` gives its output. Raises KubectlFailed."""

    def __init__(self, kubeconfig: Path, program: str) -> None:
        self._command = [program, "--kubeconfig", str(kubeconfig)]

    def command(self, *arguments: str) -> list[str]:
        """For whoever runs it themselves."""
        return [*self._command, *arguments]

    def __call__(self, *arguments: str, input: str | None = None) -> str:
        done = subprocess.run(
            self.command(*arguments),
            input=input or "",
            capture_output=True,
            text=True,
            timeout=_KUBECTL_S,
            check=False,
        )
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """Of an administrator. Skips the test where there is no cluster; fails it where there must be one."""
    if found := os.environ.get("JELMORE_TEST_KUBECONFIG"):
        return Path(found)
    reason = "no Kubernetes is named by JELMORE_TEST_KUBECONFIG: run this with make e2e"
    if os.environ.get("JELMORE_REQUIRE_CLUSTER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster_bin(kubeconfig: Path) -> Path | None:
    """Where kubectl and helm are, or None for those on PATH."""
    found = os.environ.get("JELMORE_TEST_BIN")
    return Path(found) if found else None


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path, cluster_bin: Path | None) -> Kubectl:
    return Kubectl(kubeconfig, str(cluster_bin / "kubectl") if cluster_bin else "kubectl")


@pytest.fixture
def kube_namespace(kubectl: Kubectl) -> Iterator[str]:
    """Fresh, and strict: only pods that keep to the `restricted` Pod Security standard."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    _clear_away(kubectl, name)


def _clear_away(kubectl: Kubectl, namespace: str) -> None:
    """The end is not waited for, since that takes a cluster up to 20 s; but it comes, without an operator too."""
    kubectl("-n", namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
    kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
    with contextlib.suppress(KubectlFailed):  # where there is no such resource, or it has just gone
        for session in kubectl("-n", namespace, "get", "claudesessions", "-o", "name").split():
            kubectl("-n", namespace, "patch", session, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


@pytest.fixture(scope="session")
def node_ip(kubeconfig: Path) -> str:
    """The address at which pods reach this machine."""
    found = os.environ.get("JELMORE_TEST_NODE_IP")
    if not found:
        pytest.fail("JELMORE_TEST_NODE_IP is not set: the address at which the cluster's pods reach this machine")
    return found


@pytest.fixture
def reachable(node_ip: str) -> Iterator[Callable[[int], str]]:
    """`reachable(PORT)` gives the HOST:PORT at which pods reach a server on 127.0.0.1:PORT."""
    forwarder = Forwarder(node_ip)
    yield lambda port: f"{node_ip}:{forwarder.forward(port)}"
    forwarder.close()
