"""Jelmore on the test cluster: operator and API as processes of this machine, which are quick to kill and to look into;
sessions as real pods, whose servers and model are this machine's, reached over the pods' bridge.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from jelmore_local.servers import Endpoints
from tests.support.cluster import Kubectl, KubectlFailed
from tests.support.ports import free_port
from tests.support.processes import wait_for

#: A pod's start, on a machine that runs other tests besides.
LIMIT_S = 90.0
_ROOT = Path(__file__).parents[2]
_GROUP = "jelmore.dev/v1alpha1"


def resource(name: str, **spec: Any) -> str:
    """A ClaudeSession's manifest."""
    return json.dumps({"apiVersion": _GROUP, "kind": "ClaudeSession", "metadata": {"name": name}, "spec": spec})


@dataclass
class Part:
    """A part of Jelmore as a process; `start` again after its end is a restart."""

    module: str
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, **more: str) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.module],
                cwd=self.log.parent,
                env={**inherited, **self.environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)


@dataclass
class Platform:
    """`http` calls the API with the token of a service account that may do everything with sessions here."""

    namespace: str
    kubectl: Kubectl
    operator: Part
    api: Part
    http: httpx.Client
    token: str = field(repr=False)
    model_url: str = ""  # as pods reach it
    folder: Path = Path()

    def apply(self, name: str, **spec: Any) -> str:
        """Makes a ClaudeSession as a person would; the session's id."""
        self.kubectl("apply", "-n", self.namespace, "-f", "-", input=resource(name, **spec))
        return str(self.get("claudesession", name)["metadata"]["uid"])

    def secret(self, name: str, **data: str) -> None:
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        self.kubectl("apply", "-n", self.namespace, "-f", "-", input=json.dumps(manifest))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object; {} where there is none."""
        text = self.kubectl("get", "-n", self.namespace, kind, name, "-o", "json", "--ignore-not-found")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def items(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "-n", self.namespace, kind, "-o", "json"))["items"]
        return found

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("claudesession", name).get("status", {})
        return found

    def until(self, name: str, check: Callable[[dict[str, Any]], bool], limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Waits until the resource's status passes `check`."""
        found: dict[str, Any] = {}

        def passes() -> bool:
            found.clear()
            found.update(self.status(name))
            return check(found)

        try:
            wait_for(passes, limit_s)
        except AssertionError:
            raise AssertionError(f"still {found}\n{self.story(name)}") from None
        return found

    def until_state(self, name: str, state: str, *, turns: int = 0, run: int = 0) -> dict[str, Any]:
        return self.until(
            name,
            lambda status: (
                status.get("state") == state
                and status.get("usage", {}).get("turns", 0) >= turns
                and status.get("run", 0) >= run
            ),
        )

    def story(self, name: str) -> str:
        """What a person would look at: the pod, its logs, the operator's."""
        pod = f"claude-{name}"
        logs = [["logs", pod, "-c", container, "--tail=40"] for container in ("agent", "claude")]
        looks = [["describe", "pod", pod], *logs]
        parts = [self._look(*look)[-3000:] for look in looks]
        return "\n---\n".join([*parts, self.operator.log.read_text()[-4000:]])

    def _look(self, *arguments: str) -> str:
        try:
            return self.kubectl("-n", self.namespace, *arguments)
        except KubectlFailed as error:
            return str(error)

    def events(self, session: str) -> list[dict[str, Any]]:
        """The session's log by REST, whole."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            answer = self.http.get(f"/api/v1/session/{session}/events", params={"after": after, "limit": 500})
            page = answer.raise_for_status().json()["items"]
            if not page:
                return found
            found += page


@contextmanager
def model() -> Iterator[int]:
    """The demo model as a process; its port on loopback."""
    command = [sys.executable, "-m", "jelmore_local.demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="session")
def model_port() -> Iterator[int]:
    with model() as port:
        yield port


@pytest.fixture
def platform(
    kube_namespace: str,
    kubectl: Kubectl,
    kubeconfig: Path,
    session_crd: None,
    reachable: Callable[[int], str],
    model_port: int,
    endpoints: Endpoints,
    database_url: str,
    tmp_path: Path,
) -> Iterator[Platform]:
    """Both parts run and are ready; sessions' default credentials are there."""
    nats_port = int(endpoints.nats_url.rsplit(":", 1)[1])
    model_url = f"http://{reachable(model_port)}"
    common = {
        "KUBECONFIG": str(kubeconfig),
        "JELMORE_NAMESPACES": kube_namespace,
        "JELMORE_NAMESPACE": kube_namespace,
        "JELMORE_NATS_URL": endpoints.nats_url,
        "JELMORE_NATS_CREDENTIALS": str(endpoints.nats_credentials),
    }
    operator = Part(
        "jelmore_operator",
        {
            **common,
            "JELMORE_NATS_IDENTITY": str(endpoints.nats_identity),
            "JELMORE_SESSION_NATS_URL": f"nats://{reachable(nats_port)}",
            "JELMORE_SESSION_IMAGE": "docker.io/library/jelmore-session:test",
            "JELMORE_IMAGE_PULL_POLICY": "Never",
            "JELMORE_ANTHROPIC_BASE_URL": model_url,
        },
        tmp_path / "operator.log",
    )
    port = free_port()
    api = Part(
        "jelmore_api",
        {
            **common,
            "JELMORE_RESOURCES": "kubernetes",
            "JELMORE_PORT": str(port),
            "JELMORE_HOME": str(tmp_path),
            "JELMORE_DATABASE_URL": database_url,
            "JELMORE_REDIS_URL": endpoints.redis_url,
        },
        tmp_path / "api.log",
    )
    token = _token(kubectl, kube_namespace)
    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as stack:
        for part in (operator, api):
            part.start()
            stack.callback(_end, part)
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20))
        running = Platform(kube_namespace, kubectl, operator, api, http, token, model_url, tmp_path)
        running.secret("claude-credentials", oauthToken="a-token-of-the-tests")
        wait_for(lambda: _ready(running), LIMIT_S)
        yield running
        # While somebody reconciles, so that finalizers go.
        kubectl("delete", "-n", kube_namespace, "claudesessions", "--all", "--wait=false")
        wait_for(lambda: not running.items("claudesessions"), LIMIT_S)


def _token(kubectl: Kubectl, namespace: str) -> str:
    kubectl("create", "-n", namespace, "serviceaccount", "user")
    kubectl("create", "-n", namespace, "role", "user", "--verb=*", "--resource=claudesessions.jelmore.dev,secrets")
    kubectl("create", "-n", namespace, "rolebinding", "user", "--role=user", f"--serviceaccount={namespace}:user")
    return kubectl("create", "-n", namespace, "token", "user", "--audience=jelmore").strip()


def _ready(running: Platform) -> bool:
    for part in (running.operator, running.api):
        assert part.process is not None
        assert part.process.poll() is None, part.log.read_text()[-4000:]
    try:
        return running.http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _end(part: Part) -> None:
    if part.process is not None and part.process.poll() is None:
        part.kill()
