"""What the other tests here rest on: pods with a volume, and servers on this machine that they reach."""

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.support.cluster import Kubectl
from tests.support.processes import wait_for

_STRICT = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_USER = 12345


def _pod(command: str) -> str:
    """Runs the shell command to its end, with a claim's volume at /data."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    container = {
        "name": "main",
        "image": "docker.io/library/pause:test",
        "imagePullPolicy": "Never",
        "command": ["bash", "-euc", command],
        "securityContext": _STRICT,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [claim, pod]})


def _output(kubectl: Kubectl, namespace: str) -> str:
    kubectl("-n", namespace, "wait", "pod/one", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=40s")
    return kubectl("-n", namespace, "logs", "one")


def _volumes(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    every: list[dict[str, Any]] = json.loads(kubectl("get", "pv", "-o", "json"))["items"]
    return [it for it in every if it["spec"]["claimRef"]["namespace"] == namespace]


def test_a_claims_volume_is_for_the_pods_group_and_goes_with_the_claim(kubectl: Kubectl, kube_namespace: str) -> None:
    kubectl("-n", kube_namespace, "create", "-f", "-", input=_pod("echo hi >/data/file; stat -c %u:%g /data/file"))
    assert _output(kubectl, kube_namespace) == f"{_USER}:{_USER}\n"
    (volume,) = _volumes(kubectl, kube_namespace)
    assert volume["status"]["phase"] == "Bound"
    kubectl("-n", kube_namespace, "delete", "pod/one", "pvc/data")
    wait_for(lambda: not _volumes(kubectl, kube_namespace))


def test_pods_reach_a_server_on_this_machines_loopback(
    kubectl: Kubectl, kube_namespace: str, reachable: Callable[[int], str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server,))
        thread.start()
        host, port = reachable(server.getsockname()[1]).split(":")
        ask = f"exec 3<>/dev/tcp/{host}/{port}; echo pod >&3; cat <&3"
        kubectl("-n", kube_namespace, "create", "-f", "-", input=_pod(ask))
        assert _output(kubectl, kube_namespace) == "Hello, pod\n"
        thread.join()


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rw") as stream:
        stream.write(f"Hello, {stream.readline()}")
