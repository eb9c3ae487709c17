"""A cluster by kind, where Docker can pull its node image: the way on a user's machine and in the public CI."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.errors import ClusterError
from tests.cluster.images.build import IMAGES
from tests.cluster.layout import State

NODE_IMAGE = "kindest/node:v1.34.0"
_NAME = "jelmore-tests"
_READY = "180s"

# kind's own class makes hostPath volumes, which ignore a pod's fsGroup; the same provisioner makes local ones if asked.
_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "local",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true", "defaultVolumeType": "local"},
    },
    "provisioner": "rancher.io/local-path",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def prepare() -> None:
    for name, image in IMAGES.items():
        _run("docker", "build", "--quiet", "--tag", name, *image.arguments())


def up(state: State, *, attached: bool) -> None:
    """Attached or not, kind's node outlives a process that is killed; the next one to come removes it."""
    _run("kind", "delete", "cluster", "--name", _NAME)
    state.bin.mkdir(parents=True)
    _run("kind", "create", "cluster", "--name", _NAME, "--image", NODE_IMAGE, "--wait", _READY,
         "--kubeconfig", str(state.kubeconfig))  # fmt: skip
    for program in ("kubectl", "helm"):
        (state.bin / program).symlink_to(_program(program))
    import_images(state)
    _kubectl(state, "delete", "storageclass", "standard")
    _kubectl(state, "create", "--filename", "-", content=json.dumps(_CLASS))


def down(state: State) -> None:
    _run("kind", "delete", "cluster", "--name", _NAME)


def import_images(state: State) -> None:
    _run("kind", "load", "docker-image", "--name", _NAME, *IMAGES)


def host_ip() -> str:
    """The machine's end of the network that kind puts its nodes into."""
    networks = json.loads(_run("docker", "network", "inspect", "kind"))
    gateways = [it["Gateway"] for it in networks[0]["IPAM"]["Config"] if "Gateway" in it]
    return next(str(it) for it in gateways if ":" not in it)


def _program(name: str) -> Path:
    if found := shutil.which(name):
        return Path(found)
    if name == "helm":
        return binaries.helm()
    raise ClusterError(f"kind is there, but not {name}: install it")


def _kubectl(state: State, *arguments: str, content: str | None = None) -> str:
    return _run(str(state.bin / "kubectl"), "--kubeconfig", str(state.kubeconfig), *arguments, content=content)


def _run(*command: str, content: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=content or "", check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
    return done.stdout
