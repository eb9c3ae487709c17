"""Pods as a cluster shows them, in few words, for the tests of what is read from them."""

from datetime import datetime, timedelta
from typing import Any

from jelmore_contract.resource import Credentials, CredentialsKind
from jelmore_operator.kube.manifests import pod
from jelmore_operator.kube.pods import Record
from jelmore_operator.kube.settings import PodSettings
from tests.support.observations import SESSION_ID, ago, resource

SETTINGS = PodSettings(
    image="jelmore-session:1",
    credentials=Credentials(secret_name="claude-credentials", kind=CredentialsKind.OAUTH_TOKEN),
)


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seen_pod(
    phase: str = "Running", record: Record | None = None, age: float = 60, version: int = 1, **status: Any
) -> dict[str, Any]:
    """A session's pod, made `age` seconds ago."""
    document = pod(resource(), SETTINGS, record or Record())
    document["metadata"] |= {"uid": f"pod-{age}", "creationTimestamp": at(ago(age)), "resourceVersion": str(version)}
    return {**document, "status": {"phase": phase, **status}}


def stopping(document: dict[str, Any], since: datetime, grace: int = 30) -> dict[str, Any]:
    """The pod after it was told to end."""
    gone_by = at(since + timedelta(seconds=grace))
    metadata = document["metadata"] | {"deletionTimestamp": gone_by, "deletionGracePeriodSeconds": grace}
    return {**document, "metadata": metadata}


def waiting(name: str, reason: str, message: str = "", image: str = "jelmore-session:1") -> dict[str, Any]:
    """A container's status while it does not run."""
    return {"name": name, "image": image, "state": {"waiting": {"reason": reason, "message": message}}}


def unscheduled(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


def seen_session(name: str = "a", version: int = 1, **metadata: Any) -> dict[str, Any]:
    """A ClaudeSession as the API server has it."""
    return {
        "apiVersion": "jelmore.dev/v1alpha1",
        "kind": "ClaudeSession",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": SESSION_ID,
            "resourceVersion": str(version),
            "creationTimestamp": at(ago(60)),
            **metadata,
        },
        "spec": {},
    }
