"""Volumes for claims: a folder on the node, as a `local` volume, since only those honour a pod's fsGroup.

    python -m tests.cluster.storage STATE

Runs on the node. A claim of the class `local` gets a volume at once; a volume whose claim is gone goes, its folder too.
"""

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from http import HTTPStatus
from pathlib import Path

from tests.cluster.client import Client, Refused, Resource
from tests.cluster.layout import NODE, State

_PROVISIONER = "jelmore.dev/tests"
_CLASS = "local"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"


def storage_class() -> Resource:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": _CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": _PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def wants_volume(claim: Resource) -> bool:
    spec = claim["spec"]
    return spec.get("storageClassName") == _CLASS and not spec.get("volumeName") and not _going(claim)


def is_done_with(volume: Resource) -> bool:
    ours = volume["spec"].get("storageClassName") == _CLASS
    return ours and volume["status"].get("phase") == "Released" and not _going(volume)


def _going(resource: Resource) -> bool:
    return "deletionTimestamp" in resource["metadata"]


def name_for(claim: Resource) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def volume_for(claim: Resource, folder: Path) -> Resource:
    meta, spec = claim["metadata"], claim["spec"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name_for(claim)},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": _CLASS,
        },
    }


class Provisioner:
    def __init__(self, state: State) -> None:
        self._client = Client(state)
        self._folder = state.volumes

    def claim(self, claim: Resource) -> None:
        if not wants_volume(claim):
            return
        folder = self._folder / name_for(claim)
        folder.mkdir(exist_ok=True)
        volume = volume_for(claim, folder)
        try:
            self._client.request("POST", _VOLUMES, volume)
        except Refused as refusal:
            if refusal.status != HTTPStatus.CONFLICT:  # made when an earlier event of the same claim came
                raise

    def volume(self, volume: Resource) -> None:
        if not is_done_with(volume):
            return
        name = volume["metadata"]["name"]
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self._client.request("DELETE", f"{_VOLUMES}/{name}")

    def follow(self, path: str, handle: Callable[[Resource], None]) -> None:
        """Forever: all there are, then each as it changes; again from the start when the server ends the watch."""
        while True:
            listing = self._client.request("GET", path)
            for resource in listing["items"]:
                handle(resource)
            for event in self._client.watch(path, listing["metadata"]["resourceVersion"]):
                if event["type"] == "ERROR":
                    break
                if event["type"] != "DELETED":
                    handle(event["object"])


def main(folder: Path) -> None:
    state = State(folder)
    state.volumes.mkdir(exist_ok=True)
    provisioner = Provisioner(state)
    client = Client(state)
    client.request("POST", "/apis/storage.k8s.io/v1/storageclasses", storage_class())
    threads = ThreadPoolExecutor(2)
    claims = threads.submit(provisioner.follow, _CLAIMS, provisioner.claim)
    volumes = threads.submit(provisioner.follow, _VOLUMES, provisioner.volume)
    for ended in wait((claims, volumes), return_when=FIRST_COMPLETED).done:
        traceback.print_exception(ended.exception())
    os._exit(1)  # the other one is in the middle of a watch


if __name__ == "__main__":
    main(Path(sys.argv[1]))
