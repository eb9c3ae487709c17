"""The operator before a real API server: what it makes of a resource, and what it does when anything goes wrong.

About objects alone: the image of these sessions has nothing of Jelmore's in it, so that none of them ever runs.
"""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from jelmore_contract.events import encode_json
from jelmore_contract.subjects import STREAM, SessionKey, event_subject, report_subject
from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.kube_proxy import KubeProxy
from tests.support.observations import report
from tests.support.own_nats import OwnNats

type Kubectl = Callable[..., str]


def create(kubectl: Kubectl, objects: Objects, name: str = "a", **spec: Any) -> None:
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace, name, **spec))


def delete(kubectl: Kubectl, objects: Objects, kind: str, name: str) -> None:
    """Without waiting: the proxy is in this process, and the operator would be cut off meanwhile."""
    kubectl("-n", objects.namespace, "delete", kind, name, "--wait=false")


def kinds(objects: Objects) -> dict[str, int]:
    """How many there are of each kind that a session owns, and of sessions."""
    return {kind: len(objects.all(kind)) for kind in ("pods", "pvc", "secrets", "claudesessions")}


ONE = {"pods": 1, "pvc": 1, "secrets": 1, "claudesessions": 1}
NONE = dict.fromkeys(ONE, 0)


async def test_a_session_becomes_one_pod(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl, proxy: KubeProxy
) -> None:
    await kube_operator.start()
    create(kubectl, objects)
    await until(lambda: objects.status().get("message") is not None)
    paths = [write.rpartition(objects.namespace)[2] for write in proxy.writes]
    assert paths[:5] == [
        "/claudesessions/a",
        "/persistentvolumeclaims/claude-a",
        "/secrets/claude-a",
        "/pods",
        "/claudesessions/a/status",
    ]
    assert kinds(objects) == ONE
    status = objects.status()
    assert (status["state"], status["podName"]) == ("pending", "claude-a")
    assert objects.conditions() == {
        "Ready": "False",
        "AgentConnected": "False",
        "WorkspaceReady": "True",
        "CredentialsReady": "True",
        "Durable": "True",
        "BusIdentity": "True",
    }
    assert objects.events()[0] == "Started"


async def test_killed_at_every_write_of_a_create_it_comes_to_the_same_end(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl, proxy: KubeProxy, own_namespace: str
) -> None:
    cases = {f"{number}-{done}".lower(): (number, done) for number in range(1, 6) for done in (False, True)}
    operator = await kube_operator.start()
    for name, case in cases.items():

        def kill(number: int, done: bool, case: tuple[int, bool] = case) -> bool:
            if (number, done) == case:
                kube_operator.kill()
            return (number, done) != case

        await until(lambda: holder(kubectl, own_namespace) != "")
        proxy.writes.clear()
        proxy.on_write = kill
        create(kubectl, objects, name)
        assert await asyncio.wait_for(operator.wait(), 60) == -signal.SIGKILL
        proxy.on_write = lambda number, done: True
        # Nobody holds it any more; in life the next one waits until it has run out.
        kubectl("-n", own_namespace, "delete", "lease", "jelmore-operator", "--ignore-not-found")
        operator = await kube_operator.start()
        # Only once nothing more is written about this one can a write be taken for the next one's.
        # A lambda with a default, whose type mypy cannot tell, so that it is this name's.
        await until(lambda name=name: objects.status(name).get("message") is not None)  # type: ignore[misc]
    sessions = objects.all("claudesessions")
    assert {each["metadata"]["name"] for each in sessions} == set(cases)
    assert [each["metadata"]["finalizers"] for each in sessions] == [["jelmore.dev/session"]] * len(cases)
    assert kinds(objects) == dict.fromkeys(ONE, len(cases))
    owners = {each["metadata"]["uid"] for each in sessions}
    for kind in ("pods", "pvc", "secrets"):
        assert {each["metadata"]["ownerReferences"][0]["uid"] for each in objects.all(kind)} == owners


async def test_a_pod_that_is_deleted_is_made_again_on_the_same_volume(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await kube_operator.start()
    create(kubectl, objects)
    await until(lambda: objects.status().get("podName") is not None)
    before = [objects.all(kind)[0]["metadata"]["uid"] for kind in ("pods", "pvc")]
    delete(kubectl, objects, "pod", "claude-a")
    await until(lambda: [pod["metadata"]["uid"] for pod in objects.all("pods")] not in ([], before[:1]))
    assert objects.all("pvc")[0]["metadata"]["uid"] == before[1]
    assert kinds(objects) == ONE


async def test_a_session_that_is_deleted_leaves_its_log(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl, operator_bus: OwnNats
) -> None:
    await kube_operator.start()
    create(kubectl, objects, query="hello")
    await until(lambda: objects.status().get("podName") is not None)
    key = key_of(objects)
    delete(kubectl, objects, "claudesession", "a")
    await until(lambda: kinds(objects) == NONE)
    assert "Deleted" in objects.events()
    client = await operator_bus.connect()
    for event in ("session.created", "session.terminated"):
        message = await client.jetstream().get_last_msg(STREAM, event_subject(key, event))
        assert json.loads(message.data or b"")["session_id"] == key.session_id
    consumers = [consumer.name for consumer in await client.jetstream().consumers_info(STREAM)]
    assert key.session_id not in consumers
    await client.close()


def key_of(objects: Objects, name: str = "a") -> SessionKey:
    session = objects.get("claudesessions", name)
    assert session is not None
    return SessionKey(objects.namespace, session["metadata"]["uid"])


@pytest.mark.slow
async def test_a_namespace_goes_though_the_bus_is_away(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl, operator_bus: OwnNats
) -> None:
    await kube_operator.start()
    create(kubectl, objects)
    await until(lambda: objects.status().get("podName") is not None)
    client = await operator_bus.connect()
    await client.jetstream().publish(report_subject(key_of(objects)), encode_json(report()))
    await client.close()
    operator_bus.kill()
    kubectl("delete", "namespace", objects.namespace, "--wait=false")
    await until(lambda: objects.namespace not in kubectl("get", "namespaces", "-o", "name"), 90)


async def test_what_no_node_takes_is_told_and_starts_by_itself(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await kube_operator.start()
    label = f"jelmore.dev/{objects.namespace}"
    create(kubectl, objects, podTemplate={"nodeSelector": {label: "yes"}})
    await until(lambda: "No node takes" in str(objects.status().get("message")))
    assert objects.status()["state"] == "pending"
    pod = objects.all("pods")[0]["metadata"]["uid"]
    # Not the one that another test makes up for a while.
    node = kubectl("get", "nodes", "-o", "name", "--selector=!jelmore.dev/ghost").split()[0]
    kubectl("label", node, f"{label}=yes")
    try:
        await until(lambda: "No node takes" not in str(objects.status().get("message")))
    finally:
        kubectl("label", node, f"{label}-")
    assert [each["metadata"]["uid"] for each in objects.all("pods")] == [pod]
    assert objects.events()[:2] == ["Started", "Unschedulable"]


async def test_an_image_that_cannot_be_had_is_told_and_the_pod_made_again_with_one_that_can(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    plain = kube_operator.environment["JELMORE_SESSION_IMAGE"]
    kube_operator.environment["JELMORE_SESSION_IMAGE"] = "docker.io/library/there-is-none:test"
    first = await kube_operator.start()
    create(kubectl, objects)
    await until(lambda: "cannot be pulled" in str(objects.status().get("message")))
    await until(lambda: "ImagePullProblem" in objects.events())  # made after the status is written
    first.terminate()
    assert await asyncio.wait_for(first.wait(), 20) == 0
    kube_operator.environment["JELMORE_SESSION_IMAGE"] = plain
    await kube_operator.start()
    await until(lambda: images(objects) == [plain], 60)
    await until(lambda: "cannot be pulled" not in str(objects.status().get("message")))
    assert kinds(objects) == ONE


def images(objects: Objects) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in objects.all("pods")]


@pytest.mark.slow
async def test_of_two_operators_one_works_and_the_other_takes_over(
    kube_operator: KubeOperator, objects: Objects, kubectl: Kubectl, own_namespace: str
) -> None:
    first = await kube_operator.start()
    await until(lambda: holder(kubectl, own_namespace) != "")
    before = holder(kubectl, own_namespace)
    second = await kube_operator.start()
    await until(lambda: waited(kube_operator) == 1)
    first.kill()
    create(kubectl, objects)
    await until(lambda: holder(kubectl, own_namespace) not in ("", before))
    await until(lambda: objects.status().get("podName") is not None)
    assert kinds(objects) == ONE
    third = await kube_operator.start()
    await until(lambda: waited(kube_operator) == 2)
    second.terminate()
    assert await asyncio.wait_for(second.wait(), 20) == 0
    # One that ends as it is asked to lets go, and nobody waits for the Lease to run out.
    await until(lambda: holder(kubectl, own_namespace) != "", 10)
    assert third.returncode is None


def waited(operator: KubeOperator) -> int:
    """How many have found that another one works."""
    return sum("another operator holds" in line["message"] for line in operator.logged())


def holder(kubectl: Kubectl, namespace: str) -> str:
    leases = json.loads(kubectl("-n", namespace, "get", "leases", "-o", "json"))["items"]
    return str(leases[0]["spec"]["holderIdentity"]) if leases else ""


async def test_an_operator_that_loses_its_lease_ends(
    kube_operator: KubeOperator, kubectl: Kubectl, own_namespace: str
) -> None:
    operator = await kube_operator.start()
    await until(lambda: holder(kubectl, own_namespace) != "")
    patch = json.dumps({"spec": {"holderIdentity": "somebody-else"}})
    kubectl("-n", own_namespace, "patch", "lease", "jelmore-operator", "--type=merge", "-p", patch)
    assert await asyncio.wait_for(operator.wait(), 20) == 1
    assert kube_operator.logged()[-1]["message"] == "ending: another operator has the Lease"
