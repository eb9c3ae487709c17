"""An API server and its etcd alone, with the garbage collector: no node, no scheduler. What is made stays as it was,
so that thousands of objects cost no more than their storage. Every request of the operator is in an audit log.
"""

import json
import os
import secrets
import ssl
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.cluster import pki
from tests.cluster.layout import State
from tests.support.cluster import Kubectl, KubectlFailed
from tests.support.ports import free_port
from tests.support.processes import wait_for

_CRD = Path(__file__).resolve().parents[2] / "crds" / "claudesessions.yaml"
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": ["operator"]}, {"level": "None"}],
}
#: What takes away what is to go.
_CONTROLLERS = ("garbage-collector", "namespace", "persistentvolumeclaim-protection")
_UP_S = 90.0


@dataclass
class BareKube:
    """`operator_kubeconfig` is of a user whose requests are counted. Both may do everything."""

    folder: Path
    programs: Path
    port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def operator_kubeconfig(self) -> Path:
        return self.folder / "operator.kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.kubeconfig, str(self.programs / "kubectl"))

    def start(self) -> None:
        """Returns when ClaudeSessions can be made."""
        state = State(self.folder)
        pki.make(state)
        etcd, peers, self.port = (free_port() for _ in range(3))
        self._write_access(state)
        (self.folder / "audit-policy.json").write_text(json.dumps(_POLICY))
        self._run("etcd", _etcd(self.folder, etcd, peers))
        self._run("kube-apiserver", _apiserver(state, etcd, self.port))
        wait_for(self._answers, _UP_S)
        self._run(
            "kube-controller-manager",
            [
                f"--kubeconfig={self.kubeconfig}",
                f"--controllers={','.join(f'{name}-controller' for name in _CONTROLLERS)}",
                "--leader-elect=false",
                "--secure-port=0",
                "--concurrent-gc-syncs=20",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ],
        )
        self.kubectl("apply", "--server-side", "-f", str(_CRD))
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(_CRD))

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def client(self) -> httpx.AsyncClient:
        """As the administrator, for many requests."""
        tls = ssl.create_default_context(cafile=self.folder / "pki" / "ca.crt")
        headers = {"Authorization": f"Bearer {(self.folder / 'pki' / 'token').read_text()}"}
        url = f"https://127.0.0.1:{self.port}"
        return httpx.AsyncClient(base_url=url, headers=headers, verify=tls, timeout=60, trust_env=False)

    def namespace(self) -> str:
        """A fresh one."""
        name = f"b-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        return name

    def requests(self, since: int = 0) -> Counter[str]:
        """Of the operator, by verb and kind, Lease and watches aside; from the line of that number on."""
        found = Counter[str]()
        for text in self._audited()[since:]:
            line = json.loads(text)
            kind = line.get("objectRef", {}).get("resource", "")
            if kind != "leases" and line["verb"] != "watch":
                found[f"{line['verb']} {kind}"] += 1
        return found

    def request_count(self) -> int:
        """Lines of the audit log so far: what `requests` takes."""
        return len(self._audited())

    def _audited(self) -> list[str]:
        # The last line may be half there.
        return (self.folder / "audit.log").read_text().split("\n")[:-1]

    def _write_access(self, state: State) -> None:
        tokens = {"admin": state.token.read_text(), "operator": secrets.token_hex(16)}
        rows = [f'{token},{name},{name},"system:masters"\n' for name, token in tokens.items()]
        (state.pki / "tokens.csv").write_text("".join(rows))
        for name, token in tokens.items():
            cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": str(state.pki / "ca.crt")}
            document = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "bare", "cluster": cluster}],
                "users": [{"name": name, "user": {"token": token}}],
                "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": name}}],
                "current-context": "bare",
            }
            (self.folder / f"{name}.kubeconfig").write_text(json.dumps(document))

    def _run(self, program: str, arguments: list[str]) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [str(self.programs / program), *arguments]
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _answers(self) -> bool:
        assert all(process.poll() is None for process in self.processes), "it did not start"
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except KubectlFailed:
            return False


def _etcd(folder: Path, client_port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(state: State, etcd_port: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={state.pki}/apiserver.crt",
        f"--tls-private-key-file={state.pki}/apiserver.key",
        f"--client-ca-file={state.pki}/ca.crt",
        f"--service-account-key-file={state.pki}/accounts.key",
        f"--service-account-signing-key-file={state.pki}/accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        f"--token-auth-file={state.pki}/tokens.csv",
        # Nobody makes the service accounts that it would ask for.
        "--disable-admission-plugins=ServiceAccount",
        f"--audit-policy-file={state.folder}/audit-policy.json",
        f"--audit-log-path={state.folder}/audit.log",
    ]


def programs() -> Path | None:
    """Where etcd and the API server are: a test cluster that was built on this machine has them."""
    folder = os.environ.get("JELMORE_TEST_BIN")
    found = folder is not None and all((Path(folder) / name).exists() for name in ("etcd", "kube-apiserver"))
    return Path(folder) if folder is not None and found else None


@pytest.fixture(scope="session")
def bare_kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareKube]:
    found = programs()
    if found is None:
        pytest.skip("needs etcd and kube-apiserver beside kubectl in JELMORE_TEST_BIN: a test cluster that is built")
    with ExitStack() as stack:
        kube = BareKube(tmp_path_factory.mktemp("kube"), found)
        stack.callback(kube.end)
        kube.start()
        yield kube
