"""What keeps a pod from running, as a person is told it."""

from typing import Any

import pytest

from jelmore_contract.resource import Credentials, CredentialsKind
from jelmore_operator.kube.obstacles import PATIENCE, SLOW, UNENDING, Place, find_obstacle, find_unending
from tests.support.observations import NOW, ago
from tests.support.pods import seen_pod, unscheduled, waiting

PLACE = Place("team", "claude-a", Credentials(secret_name="keys", kind=CredentialsKind.API_KEY))
GATEWAY = Place("team", "claude-a", Credentials(secret_name="keys", kind=CredentialsKind.GATEWAY))
PENDING = {"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}
NO_CLASS = {"spec": {}, "status": {"phase": "Pending"}}
LOST = {"spec": {"storageClassName": "fast"}, "status": {"phase": "Lost"}}
NO_SECRET = 'secret "keys" not found'
NO_NODE = "0/3 nodes are available: 3 Insufficient memory."
NO_VOLUME = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."


def pending(*containers: dict[str, Any], age: float = 10) -> dict[str, Any]:
    return seen_pod("Pending", age=age, containerStatuses=list(containers))


def cloning(state: dict[str, Any], last: dict[str, Any] | None = None, age: float = 10) -> dict[str, Any]:
    clone = {"name": "clone", "image": "i", "state": state, "lastState": last or {}}
    return seen_pod("Pending", age=age, initContainerStatuses=[clone])


TOLD: dict[str, tuple[dict[str, Any], dict[str, Any] | None, tuple[str, str], list[str]]] = {
    "the image cannot be pulled": (
        pending(waiting("claude", "ErrImagePull", "not found", "x:1")),
        None,
        ("image", "ImagePullProblem"),
        ["The image x:1 cannot be pulled (ErrImagePull): not found", "describe pod claude-a"],
    ),
    "the image's pull is backed off": (
        pending(waiting("claude", "ImagePullBackOff")),
        None,
        ("image", "ImagePullProblem"),
        ["jelmore-session:1"],
    ),
    "the image is never pulled": (
        pending(waiting("claude", "ErrImageNeverPull")),
        None,
        ("image", "ImagePullProblem"),
        [],
    ),
    "no Secret": (
        pending(waiting("claude", "CreateContainerConfigError", NO_SECRET)),
        None,
        ("credentials", "CredentialsMissing"),
        [
            "The Secret keys in namespace team must hold apiKey",
            "`kubectl -n team create secret generic keys --from-literal=apiKey=...`",
        ],
    ),
    "the session's own Secret is gone": (
        pending(waiting("claude", "CreateContainerConfigError", 'secret "claude-a" not found')),
        None,
        ("other", "SecretMissing"),
        ["delete the pod claude-a"],
    ),
    "too little memory": (
        pending(
            {**waiting("claude", "CrashLoopBackOff"), "lastState": {"terminated": {"reason": "OOMKilled"}}},
        ),
        None,
        ("other", "OutOfMemory"),
        ["raise spec.resources.limits.memory", "tried again by itself"],
    ),
    "a container that crashes": (
        seen_pod(containerStatuses=[waiting("claude", "CrashLoopBackOff", "back-off 40s")]),
        None,
        ("other", "CrashLoopBackOff"),
        ["Container claude does not start (CrashLoopBackOff): back-off 40s"],
    ),
    "no node": (
        seen_pod("Pending", **unscheduled(NO_NODE)),
        PENDING,
        ("scheduling", "Unschedulable"),
        ["No node takes the session's pod", NO_NODE],
    ),
    "the volume is not there": (
        seen_pod("Pending", **unscheduled(NO_VOLUME)),
        PENDING,
        ("workspace", "VolumePending"),
        ["describe pvc claude-a"],
    ),
    "no storage class": (
        seen_pod("Pending", **unscheduled(NO_VOLUME)),
        NO_CLASS,
        ("workspace", "NoStorageClass"),
        ["make one the default"],
    ),
    "the volume is lost": (
        seen_pod("Pending", **unscheduled(NO_VOLUME)),
        LOST,
        ("workspace", "ClaimLost"),
        ["restore it, or delete the session"],
    ),
    "the clone failed": (
        cloning({"terminated": {"exitCode": 1, "reason": "Error", "message": "There is no branch x: change the ref."}}),
        None,
        ("workspace", "CloneFailed"),
        ["The step clone failed. There is no branch x: change the ref."],
    ),
    "the clone failed, and is tried again": (
        cloning({"running": {}}, {"terminated": {"exitCode": 1, "message": "No such branch."}}),
        None,
        ("workspace", "CloneFailed"),
        ["No such branch."],
    ),
    "the clone failed, and waits": (
        cloning({"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"exitCode": 1, "message": "No."}}),
        None,
        ("workspace", "CloneFailed"),
        ["The step clone failed. No."],
    ),
    "the clone needs more memory": (
        cloning({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        None,
        ("workspace", "CloneFailed"),
        ["raise resources.limits.memory"],
    ),
    "the clone ended without a word": (
        cloning({"terminated": {"exitCode": 2, "reason": "Error"}}),
        None,
        ("workspace", "CloneFailed"),
        ["It ended with code 2: see `kubectl -n team logs claude-a -c clone`."],
    ),
    "it takes long, and nobody says why": (
        pending(waiting("claude", "ContainerCreating"), age=SLOW),
        None,
        ("other", "SlowStart"),
        ["image is being pulled"],
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_told(case: str) -> None:
    pod, claim, (kind, reason), words = TOLD[case]
    found = find_obstacle(pod, claim, PLACE, NOW)
    assert found.obstacle is not None
    assert (found.obstacle.kind, found.obstacle.reason) == (kind, reason)
    for word in words:
        assert word in found.obstacle.message


FINE: dict[str, tuple[dict[str, Any], float | None]] = {
    "runs": (seen_pod(), None),
    "is being scheduled": (seen_pod("Pending", age=1, **unscheduled(NO_NODE)), PATIENCE - 1),
    "is being started": (pending(waiting("claude", "PodInitializing"), age=20), SLOW - 20),
    "clones, however long": (cloning({"running": {}}, age=SLOW * 5), None),
    "clones anew since its node is back": (
        cloning({"running": {}}, {"terminated": {"exitCode": 255, "reason": "Unknown"}}),
        None,
    ),
    "has cloned": (cloning({"terminated": {"exitCode": 0}}, age=20), SLOW - 20),
    "was just made": (seen_pod("Pending", age=0), SLOW),
}


@pytest.mark.parametrize("case", FINE)
def test_what_takes_its_time_is_no_obstacle_yet(case: str) -> None:
    pod, again = FINE[case]
    assert find_obstacle(pod, None, PLACE, NOW) == (None, again)


def test_a_pod_that_does_not_end_is_told_after_a_while() -> None:
    pod = seen_pod()
    pod["spec"]["nodeName"] = "node1"
    assert find_unending(pod, ago(20), PLACE, NOW) == (None, UNENDING - 20)
    obstacle = find_unending(pod, ago(UNENDING), PLACE, NOW).obstacle
    assert obstacle is not None
    assert obstacle.reason == "FencingRequired"
    assert "`kubectl taint node node1 node.kubernetes.io/out-of-service" in obstacle.message


def test_a_gateway_needs_two_keys() -> None:
    pod = pending(waiting("claude", "CreateContainerConfigError", NO_SECRET))
    obstacle = find_obstacle(pod, None, GATEWAY, NOW).obstacle
    assert obstacle is not None
    assert "must hold token and baseUrl" in obstacle.message
    assert "--from-literal=token=... --from-literal=baseUrl=..." in obstacle.message


def test_what_the_cluster_takes_away_is_told_while_it_ends() -> None:
    why = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API."}
    found = find_unending(seen_pod(conditions=[why]), ago(1), PLACE, NOW)
    assert found.obstacle is not None
    assert found.obstacle.reason == "Disrupted"
    assert found.obstacle.message.startswith("The cluster takes the session's pod claude-a away: Eviction API. ")
    assert found.look_again == UNENDING - 1
    assert find_unending(seen_pod(), ago(1), PLACE, NOW).obstacle is None


@pytest.mark.parametrize("case", ["the clone failed", "the clone ended without a word"])
def test_a_clone_is_not_left_to_the_cluster(case: str) -> None:
    found = find_obstacle(TOLD[case][0], None, PLACE, NOW).obstacle
    assert found is not None
    assert found.final
