"""What keeps a session's pod from running, while the cluster keeps trying: found in the pod, told so that a person
knows what to do.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from jelmore_contract.resource import Credentials
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.containers import CLONE, KEYS
from jelmore_operator.reconcile.observed import Obstacle

#: Seconds for the scheduler, and for a volume to be made, before their absence is worth a word: most come by then.
PATIENCE = 5.0
#: Seconds for images to be pulled and volumes to be attached, about which a pod's status says nothing.
SLOW = 120.0
#: Seconds for a pod to be gone after it was told to end: its grace, and as much again and more.
UNENDING = 90.0
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_ON_ITS_WAY = ("", "ContainerCreating", "PodInitializing")
_LONGEST = 2000


class Place(NamedTuple):
    """Of a session's pod: what the messages name."""

    namespace: str
    pod: str
    credentials: Credentials

    @property
    def describe(self) -> str:
        return f"`kubectl -n {self.namespace} describe pod {self.pod}` tells more"


class Found(NamedTuple):
    """look_again: seconds until something that does not count yet would."""

    obstacle: Obstacle | None = None
    look_again: float | None = None


def find_obstacle(pod: Document, claim: Document | None, place: Place, now: datetime) -> Found:
    age = (now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds()
    status = pod.get("status", {})
    unscheduled = _unscheduled(status)
    if unscheduled is not None:
        if age < PATIENCE:
            return Found(look_again=PATIENCE - age)
        return Found(_claim(claim, place) or _scheduling(unscheduled, place))
    if (failed := _failed_clone(status, place)) is not None:
        return Found(failed)
    for waiting in _waiting(status):
        if waiting["reason"] not in _ON_ITS_WAY:
            return Found(_container(waiting, place))
    if status.get("phase", "Pending") != "Pending":
        return Found()
    if is_cloning(pod):
        return Found()  # which may take its time, and ends by itself
    return Found(_slow(place)) if age >= SLOW else Found(look_again=SLOW - age)


def is_cloning(pod: Document) -> bool:
    clone = _clone(pod.get("status", {}))
    return clone is not None and "running" in clone.get("state", {})


def _clone(status: Document) -> Document | None:
    """The status of the step that clones; None of a pod without one."""
    containers: Iterable[Document] = status.get("initContainerStatuses", ())
    return next((container for container in containers if container["name"] == CLONE), None)


def _failed_clone(status: Document, place: Place) -> Obstacle | None:
    """It has tried again by itself what may pass: that its container is started again helps nobody."""
    clone = _clone(status)
    if clone is None:
        return None
    ends = (clone.get(state, {}).get("terminated") for state in ("state", "lastState"))
    end = next((end for end in ends if end is not None), None)
    if end is None or end["exitCode"] == 0:
        return None
    said = str(end.get("message", "")).strip()
    if not said and end.get("reason") != "OOMKilled" and "running" in clone.get("state", {}):
        return None  # its node went down, and it begins anew
    if not said:
        said = f"It ended with code {end['exitCode']}: see `kubectl -n {place.namespace} logs {place.pod} -c {CLONE}`."
    if end.get("reason") == "OOMKilled":
        said = "It needs more memory: raise resources.limits.memory, or set workspace.git.depth."
    return Obstacle("workspace", "CloneFailed", f"The step {CLONE} failed. {said[:_LONGEST]}", final=True)


def find_unending(pod: Document, since: datetime, place: Place, now: datetime) -> Found:
    """A pod that was told to end and does not: its object stays until its node says that the processes are gone."""
    lasted = (now - since).total_seconds()
    if lasted < UNENDING:
        return Found(_disruption(pod, place), look_again=UNENDING - lasted)
    node = pod["spec"].get("nodeName", "")
    what = (
        f"The session's pod {place.pod} does not end: its node {node} does not answer, and Claude Code may still run "
        "there. The next run starts once it is gone: bring the node back or, if it is surely off, "
        f"`kubectl taint node {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`."
    )
    return Found(Obstacle("other", "FencingRequired", what))


def _disruption(pod: Document, place: Place) -> Obstacle | None:
    """Why the cluster takes the pod away, where it is not the session that ends it."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            why = str(condition.get("message") or condition.get("reason", ""))[:_LONGEST]
            what = f"The cluster takes the session's pod {place.pod} away: {why.rstrip('.')}."
            return Obstacle("other", "Disrupted", f"{what} The session goes on in the next one; nothing is to be done.")
    return None


def _unscheduled(status: Document) -> str | None:
    """The scheduler's message, where it has found no node."""
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", condition.get("reason", "")))
    return None


def _claim(claim: Document | None, place: Place) -> Obstacle | None:
    """A claim that waits for its first consumer waits for the scheduler, not the other way round."""
    if claim is None:
        return None
    phase = claim.get("status", {}).get("phase", "Pending")
    if phase == "Lost":
        what = f"The volume of claim {place.pod} is lost: restore it, or delete the session."
        return Obstacle("workspace", "ClaimLost", what)
    storage = claim["spec"].get("storageClassName")
    if phase == "Pending" and not storage:
        what = (
            f"Claim {place.pod} has no storage class, and the cluster no default one: make one the default, or delete "
            "the session and make it with workspace.storage.storageClassName or ephemeral."
        )
        return Obstacle("workspace", "NoStorageClass", what)
    return None


def _scheduling(message: str, place: Place) -> Obstacle:
    if "persistentvolumeclaim" in message.lower():
        what = f"The session's volume is not there yet: {message[:_LONGEST]} " + (
            f"`kubectl -n {place.namespace} describe pvc {place.pod}` tells more."
        )
        return Obstacle("workspace", "VolumePending", what)
    what = f"No node takes the session's pod: {message[:_LONGEST]} It starts by itself once one does; {place.describe}."
    return Obstacle("scheduling", "Unschedulable", what)


def _waiting(status: Document) -> Iterator[Document]:
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting")
        if waiting is not None:
            last = container.get("lastState", {}).get("terminated", {}).get("reason", "")
            named = {"container": container["name"], "image": container["image"], "last": last}
            yield {"reason": "", "message": "", **waiting, **named}


def _container(waiting: Document, place: Place) -> Obstacle:
    reason, message = str(waiting["reason"]), str(waiting["message"])[:_LONGEST]
    if reason in _IMAGE:
        what = f"The image {waiting['image']} cannot be pulled ({reason}): {message or 'no reason given'}"
        return Obstacle("image", "ImagePullProblem", f"{what}. It is tried again by itself; {place.describe}.")
    if reason == "CreateContainerConfigError" and "secret" in message.lower():
        return _secret(message, place)
    if waiting["last"] == "OOMKilled":
        what = (
            f"Container {waiting['container']} was killed for want of memory, again and again: raise "
            "spec.resources.limits.memory. It is tried again by itself"
        )
        return Obstacle("other", "OutOfMemory", f"{what}; {place.describe}.")
    what = f"Container {waiting['container']} does not start ({reason}): {message or 'no reason given'}"
    return Obstacle("other", reason, f"{what}. It is tried again by itself; {place.describe}.")


def _secret(message: str, place: Place) -> Obstacle:
    name, kind = place.credentials.secret_name, place.credentials.kind
    if f'"{place.pod}"' in message or f"/{place.pod}" in message:
        what = f"The session's own Secret {place.pod} is gone: delete the pod {place.pod}, and both are made again."
        return Obstacle("other", "SecretMissing", what)
    keys = KEYS[kind]
    literals = " ".join(f"--from-literal={key}=..." for key in keys)
    what = (
        f"The Secret {name} in namespace {place.namespace} must hold {' and '.join(keys)}, the session's credentials "
        f"({message}): `kubectl -n {place.namespace} create secret generic {name} {literals}`. The session starts by "
        "itself once it does."
    )
    return Obstacle("credentials", "CredentialsMissing", what)


def _slow(place: Place) -> Obstacle:
    what = f"The session's pod has not started within {SLOW:.0f} s: its image is being pulled, or its volume attached"
    return Obstacle("other", "SlowStart", f"{what}; {place.describe}.")
