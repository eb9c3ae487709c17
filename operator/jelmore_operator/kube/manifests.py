"""What a session's resource and the installation's settings make of its objects: claim, Secret, pod. Pure: the same
input gives the same documents.
"""

import base64
import hashlib
from dataclasses import replace
from typing import NamedTuple

from jelmore_bus import Tls
from jelmore_contract.events import encode_json
from jelmore_contract.resource import API_VERSION, KIND, ClaudeSession, Credentials, Git
from jelmore_operator.agent_config import Places, agent_config
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.containers import (
    SOCKET,
    agent_container,
    claude_container,
    clone_container,
    prepare_container,
    upstream_volume,
)
from jelmore_operator.kube.names import KEPT, MADE_OF, PASSWD, labels, object_name
from jelmore_operator.kube.pods import Record
from jelmore_operator.kube.settings import PodSettings, TlsFiles, Users
from jelmore_operator.reconcile.winding import GRACE

#: Where everything is in a pod.
PLACES = Places(
    nats_credentials="/etc/jelmore/nats.creds",
    folder="/var/lib/jelmore",
    socket=SOCKET,
    socket_mode=0o660,  # the launcher is another user of the same group
    nonce_file="/etc/jelmore/nonce",
    workspace="/workspace",
    claude="/usr/local/bin/claude",
    claude_config_dir="/home/claude/.claude",
    claude_tmp="/tmp",  # noqa: S108 - of the pod's own
)

_TLS_PATHS = ("/etc/jelmore/nats-ca.crt", "/etc/jelmore/nats.crt", "/etc/jelmore/nats.key")
_PASSWD_FIELD = {"fieldPath": f"metadata.annotations['{PASSWD}']"}


class Pair(NamedTuple):
    """User ids of a session's two containers; both have the group of Claude's."""

    claude: int
    agent: int


def pair_of(session_id: str, users: Users) -> Pair:
    """Always the same for a session, so that its volume's owners stay. Two sessions may meet in one pair: they share
    limits that the kernel has by user, such as inotify's, and nothing else.
    """
    number = int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:8]) % users.pairs
    return Pair(users.base + 2 * number, users.base + 2 * number + 1)


def credentials_of(resource: ClaudeSession, settings: PodSettings) -> Credentials:
    return resource.spec.credentials or settings.credentials


def claim(resource: ClaudeSession, settings: PodSettings) -> Document:
    storage = resource.spec.workspace.storage
    spec: Document = {
        "accessModes": [settings.access_mode],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name is not None:
        spec["storageClassName"] = storage.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": owned_metadata(resource),
        "spec": spec,
    }


def kept_claim(claim: Document) -> Document:
    """The change of a claim, as it was seen, that keeps it: nothing owns it any more."""
    metadata = claim["metadata"]
    owners = [owner for owner in metadata.get("ownerReferences", ()) if owner.get("kind") != KIND]
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {**kept, "ownerReferences": owners, "annotations": {KEPT: "true"}},
    }


def taken_claim(claim: Document, resource: ClaudeSession) -> Document:
    """The change that gives a claim that was kept to the session restored. Its size and class stay what they were."""
    taken = kept_claim(claim)
    taken["metadata"]["ownerReferences"].append(_owner(resource))
    taken["metadata"]["annotations"] = {KEPT: None}
    return taken


class BusAccess(NamedTuple):
    """url: as pods reach the bus. credentials: the text of a credentials file. nonce: for launcher and agent. tls:
    what is needed to speak TLS with the bus.
    """

    url: str
    credentials: str
    nonce: str
    tls: TlsFiles = TlsFiles()


def secret(resource: ClaudeSession, bus: BusAccess) -> Document:
    texts = (bus.tls.ca, bus.tls.certificate, bus.tls.key)
    given = [path if text else "" for path, text in zip(_TLS_PATHS, texts, strict=True)]
    places = replace(PLACES, nats_tls=Tls(*given))
    config = encode_json(agent_config(resource, bus.url, places)).decode()
    files = {"agent.json": config, "nats.creds": bus.credentials, "nonce": bus.nonce}
    files |= {path.rpartition("/")[2]: text for path, text in zip(given, texts, strict=True) if path}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": owned_metadata(resource),
        "type": "Opaque",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in files.items()},
    }


def pod(resource: ClaudeSession, settings: PodSettings, record: Record) -> Document:
    spec = _pod_spec(resource, settings)
    metadata = owned_metadata(resource)
    digest = hashlib.sha256(encode_json(spec)).hexdigest()[:16]
    user = spec["securityContext"]["runAsUser"]
    passwd = f"claude:x:{user}:{user}::/home/claude:/bin/bash"
    metadata["annotations"] = {**record.annotations(), MADE_OF: digest, PASSWD: passwd}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _pod_spec(resource: ClaudeSession, settings: PodSettings) -> Document:
    pair = pair_of(resource.session_id, settings.users)
    credentials = credentials_of(resource, settings)
    own_secret = object_name(resource.metadata.name)
    git = resource.spec.workspace.git
    clone_steps = [clone_container(settings, git, resource.spec.resources)] if git is not None else []
    return {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": int(GRACE),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": pair.claude,
            "runAsGroup": pair.claude,
            "fsGroup": pair.claude,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            prepare_container(settings, credentials),
            *clone_steps,
            agent_container(settings, credentials, pair.agent),
        ],
        "containers": [claude_container(settings, credentials, own_secret, resource.spec.resources)],
        "volumes": [
            _volume(resource),
            {"name": "run", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "passwd", "downwardAPI": {"items": [{"path": "passwd", "fieldRef": _PASSWD_FIELD}]}},
            {"name": "secret", "secret": {"secretName": own_secret, "defaultMode": 0o440}},
            *upstream_volume(credentials),
            *_git_secret(git),
        ],
        **_pull_secrets(settings),
        **_placement(resource),
    }


def _volume(resource: ClaudeSession) -> Document:
    storage = resource.spec.workspace.storage
    if storage.ephemeral:
        return {"name": "session", "emptyDir": {"sizeLimit": storage.size}}
    return {"name": "session", "persistentVolumeClaim": {"claimName": object_name(resource.metadata.name)}}


def _git_secret(git: Git | None) -> list[Document]:
    """Optional: a session whose repository is cloned starts without it, and one whose is not says what it lacks."""
    if git is None or git.secret_name is None:
        return []
    return [{"name": "git", "secret": {"secretName": git.secret_name, "defaultMode": 0o440, "optional": True}}]


def _pull_secrets(settings: PodSettings) -> Document:
    return {"imagePullSecrets": [{"name": name} for name in settings.pull_secrets]} if settings.pull_secrets else {}


def _placement(resource: ClaudeSession) -> Document:
    template = resource.spec.pod_template
    wanted: Document = {
        "nodeSelector": template.node_selector,
        "tolerations": [
            each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in template.tolerations
        ],
        "runtimeClassName": template.runtime_class_name,
        "priorityClassName": template.priority_class_name,
    }
    return {name: value for name, value in wanted.items() if value}


def owned_metadata(resource: ClaudeSession) -> Document:
    """Of what goes with the resource."""
    metadata = resource.metadata
    return {
        "name": object_name(metadata.name),
        "namespace": metadata.namespace,
        "labels": labels(resource.session_id),
        "ownerReferences": [_owner(resource)],
    }


def _owner(resource: ClaudeSession) -> Document:
    metadata = resource.metadata
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": metadata.name,
        "uid": str(metadata.uid),
        "controller": True,
    }
