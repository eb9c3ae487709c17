"""A session's pod as the operator makes it, without an operator: its documents, applied by kubectl, and its log."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from jelmore_contract.events import now
from jelmore_contract.resource import ClaudeSession, Credentials, CredentialsKind
from jelmore_contract.subjects import SessionKey
from jelmore_operator.kube import manifests
from jelmore_operator.kube.pods import Record
from jelmore_operator.kube.settings import PodSettings
from tests.support.cluster import Kubectl
from tests.support.own_nats import OwnNats
from tests.support.session_rig import Rig

IMAGE = "docker.io/library/jelmore-session:test"
CANARY = "canary-of-the-credentials"
_KEYS = {
    CredentialsKind.OAUTH_TOKEN: "oauthToken",
    CredentialsKind.API_KEY: "apiKey",
    CredentialsKind.GATEWAY: "token",
}


@dataclass
class KubePod(Rig):
    """`nats_url` and `model_url` are as pods reach them."""

    kubectl: Kubectl = field(kw_only=True)
    namespace: str = field(kw_only=True)
    kind: CredentialsKind = CredentialsKind.OAUTH_TOKEN
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        metadata = {"name": "one", "namespace": self.namespace, "uid": self.key.session_id, "creationTimestamp": now()}
        self.resource = ClaudeSession.model_validate({"metadata": metadata, "spec": self.spec})
        credentials = Credentials(secret_name="credentials", kind=self.kind)
        self._settings = PodSettings(IMAGE, credentials, "Never", self.model_url)
        self.pair = manifests.pair_of(self.key.session_id, self._settings.users)
        self.nonce = (self.folder / "nonce").read_text()

    def start_agent(self, *options: str) -> None:
        """With the pod."""

    def put_credentials(self, token: str, base_url: str = "") -> None:
        """base_url: of a gateway."""
        given = {_KEYS[self.kind]: token} | ({"baseUrl": base_url} if self.kind is CredentialsKind.GATEWAY else {})
        own = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credentials"}}
        self._apply({**own, "stringData": given})

    def start_launcher(self) -> None:
        self.put_credentials(CANARY, self.model_url)
        bus = manifests.BusAccess(self.nats_url, (self.folder / "nats.creds").read_text(), self.nonce)
        self._apply(manifests.claim(self.resource, self._settings))
        self._apply(manifests.secret(self.resource, bus))
        self.apply_pod()

    def apply_pod(self) -> None:
        self._apply(manifests.pod(self.resource, self._settings, Record()))

    def _apply(self, document: dict[str, Any]) -> None:
        # The owner is in no API server, and the garbage collector would clear away what is its.
        document["metadata"].pop("ownerReferences", None)
        self.kubectl("-n", self.namespace, "apply", "-f", "-", input=json.dumps(document))

    def in_agent(self, *command: str) -> str:
        return self.kubectl("-n", self.namespace, "exec", "claude-one", "-c", "agent", "--", *command)

    def pod(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("-n", self.namespace, "get", "pod", "claude-one", "-o", "json"))
        return found

    def restarts(self, container: str) -> int:
        status = self.pod()["status"]
        both = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
        return next((int(one["restartCount"]) for one in both if one["name"] == container), 0)

    def process(self, user: int, word: str) -> psutil.Process:
        """One of the pod's processes, as this machine sees it."""
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess):
                if process.uids().real == user and any(word in argument for argument in process.cmdline()):
                    return process
        raise AssertionError(f"no {word} of user {user}")

    def spool_lines(self) -> list[bytes]:
        text = self.in_agent("sh", "-c", "cat $(ls /var/lib/jelmore/run-*.jsonl | sort -V)").encode()
        return [line for line in text.split(b"\n") if line and not line.startswith(b'{"type":"stream_event"')]

    async def delete(self) -> float:
        """As the operator ends a session; seconds until the pod is gone."""
        began = time.monotonic()
        await asyncio.to_thread(self.kubectl, "-n", self.namespace, "delete", "pod", "claude-one", "--timeout=50s")
        return time.monotonic() - began

    def _logs(self) -> str:
        return self.kubectl("-n", self.namespace, "logs", "claude-one", "--all-containers", "--prefix")

    async def until(self, check: Callable[[Any], Any], limit: float = 60) -> Any:
        try:
            return await super().until(check, limit)
        except (AssertionError, FileNotFoundError):
            tail = [(event.seq, event.type, event.raw[:120]) for event in self.log.events[-10:]]
            raise AssertionError(f"not within {limit} s: {tail} {self._logs()[-3000:]}") from None


type MakePod = Callable[..., Awaitable[KubePod]]


@pytest.fixture
async def make_pod(
    own_nats: OwnNats,
    demo_model: str,
    kubectl: Kubectl,
    kube_namespace: str,
    reachable: Callable[[int], str],
    tmp_path: Path,
) -> AsyncIterator[MakePod]:
    client = await own_nats.connect()

    async def make(**options: Any) -> KubePod:
        given: dict[str, Any] = {
            "nats_url": f"nats://{reachable(own_nats.port)}",
            "model_url": f"http://{reachable(urlsplit(demo_model).port or 0)}",
            "identity": own_nats.identity,
            "client": client,
            "kubectl": kubectl,
            "namespace": kube_namespace,
        }
        key = SessionKey(kube_namespace, str(uuid.uuid4()))
        pod = KubePod(tmp_path / "pod", key=key, **(given | options))
        await pod.start()
        return pod

    yield make
    await client.close()
