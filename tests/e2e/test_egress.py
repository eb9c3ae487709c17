"""What a session asks to reach, as the API server has it. Whether anything is let through is the network plugin's work:
the test cluster's has no part in that.
"""

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api import RunningApi
from tests.support.cluster_api import Cluster
from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.kube_proxy import KubeProxy

type Kubectl = Callable[..., str]

ALLOW = [{"cidr": "10.0.0.0/8", "ports": [443, 22]}, {"namespace": "tools", "ports": [8080]}]
OTHER = [{"cidr": "10.20.0.0/16", "ports": [5432]}]
FORBIDDEN = [{"cidr": "169.254.169.254/32", "ports": [80]}]
TCP = {"protocol": "TCP"}
STORED = [
    {
        "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.96.0.0/12"]}}],
        "ports": [{**TCP, "port": 443}, {**TCP, "port": 22}],
    },
    {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}],
        "ports": [{**TCP, "port": 8080}],
    },
]


@pytest.fixture
def bounded(kube_operator: KubeOperator) -> KubeOperator:
    """One whose sessions may choose something."""
    kube_operator.environment |= {
        "JELMORE_EGRESS_ALLOWED_CIDRS": "10.0.0.0/8,0.0.0.0/0",
        "JELMORE_EGRESS_DENIED_CIDRS": "10.96.0.0/12",
        "JELMORE_EGRESS_ALLOWED_NAMESPACES": "tools",
    }
    return kube_operator


def create(kubectl: Kubectl, objects: Objects, allow: list[dict[str, Any]]) -> None:
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace, egress={"allow": allow}))


def change(kubectl: Kubectl, objects: Objects, allow: list[dict[str, Any]]) -> None:
    patch = json.dumps({"spec": {"egress": {"allow": allow}}})
    kubectl("-n", objects.namespace, "patch", "cls", "a", "--type=merge", "--patch", patch)


def rules(objects: Objects) -> list[dict[str, Any]] | None:
    policy = objects.get("networkpolicies", "claude-a")
    return policy["spec"]["egress"] if policy is not None else None


def pod(objects: Objects) -> str | None:
    """Its uid."""
    found = objects.get("pods", "claude-a")
    return found["metadata"]["uid"] if found is not None else None


async def test_a_policy_of_its_own_that_follows_the_spec(
    bounded: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await bounded.start()
    create(kubectl, objects, ALLOW)
    await until(lambda: objects.conditions().get("EgressReady") == "True")
    (made,) = objects.all("networkpolicies")
    (session,) = objects.all("claudesessions")
    assert made["spec"]["egress"] == STORED
    assert made["spec"]["policyTypes"] == ["Egress"]
    assert made["metadata"]["ownerReferences"][0]["uid"] == session["metadata"]["uid"]
    (its_pod,) = objects.all("pods")
    assert made["spec"]["podSelector"]["matchLabels"].items() <= its_pod["metadata"]["labels"].items()

    # An edit reaches the pod that runs.
    change(kubectl, objects, OTHER)
    expected = [{"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{**TCP, "port": 5432}]}]
    await until(lambda: rules(objects) == expected)

    # What others do to it is undone.
    patch = json.dumps({"spec": {"egress": [{}]}})
    kubectl("-n", objects.namespace, "patch", "networkpolicy", "claude-a", "--type=merge", "--patch", patch)
    await until(lambda: rules(objects) == expected)
    kubectl("-n", objects.namespace, "delete", "networkpolicy", "claude-a")
    await until(lambda: rules(objects) == expected)

    # Nothing asked for, nothing there. The pod has been the same all the time.
    change(kubectl, objects, [])
    await until(lambda: rules(objects) is None)
    await until(lambda: "EgressReady" not in objects.conditions())
    assert pod(objects) == its_pod["metadata"]["uid"]

    change(kubectl, objects, OTHER)
    await until(lambda: rules(objects) == expected)
    kubectl("-n", objects.namespace, "delete", "cls", "a", "--wait=false")
    await until(lambda: objects.all("claudesessions") == objects.all("networkpolicies") == [])


async def test_a_session_that_asks_for_too_much_fails_once_and_starts_when_it_is_mended(
    bounded: KubeOperator, objects: Objects, kubectl: Kubectl, proxy: KubeProxy
) -> None:
    await bounded.start()
    create(kubectl, objects, FORBIDDEN)
    await until(lambda: objects.status().get("state") == "failed")
    message = objects.status()["message"]
    assert message.startswith("spec.egress.allow[0]: 169.254.169.254/32 is never allowed")
    assert "retry the session" in message
    assert objects.conditions()["EgressReady"] == "False"
    assert objects.events() == ["Failed"]
    assert objects.all("pods") == objects.all("networkpolicies") == []
    change(kubectl, objects, OTHER)
    await until(lambda: pod(objects) is not None)
    written = [path.rpartition(objects.namespace)[2] for path in proxy.writes]
    # Before the pod, which would run without it otherwise; and the refusal was written once.
    assert written.index("/networkpolicies/claude-a") < written.index("/pods")
    assert written[: written.index("/networkpolicies/claude-a")].count("/claudesessions/a/status") <= 2


async def test_a_running_session_loses_what_is_not_granted_any_more_and_says_so(
    bounded: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    operator = await bounded.start()
    create(kubectl, objects, ALLOW)
    await until(lambda: rules(objects) is not None)
    await until(lambda: pod(objects) is not None)
    its_pod = pod(objects)
    change(kubectl, objects, [*ALLOW, *FORBIDDEN])
    await until(lambda: rules(objects) is None)
    await until(lambda: "EgressNotAllowed" in objects.events())
    assert objects.conditions()["EgressReady"] == "False"
    change(kubectl, objects, ALLOW)
    await until(lambda: rules(objects) == STORED)

    # Whoever runs the installation changes their mind.
    operator.send_signal(signal.SIGTERM)
    await operator.wait()
    bounded.environment["JELMORE_EGRESS_ALLOWED_NAMESPACES"] = ""
    await bounded.start()
    await until(lambda: rules(objects) is None)
    assert pod(objects) == its_pod


async def test_by_rest(cluster_api: RunningApi, cluster: Cluster) -> None:
    body = {"name": "one", "egress": {"allow": ALLOW}}
    created = await cluster_api.http.post("/api/v1/session", json=body)
    assert created.status_code == 201, created.text
    assert cluster.read("one")["spec"]["egress"]["allow"] == ALLOW
    url = f"/api/v1/session/{created.json()['id']}"
    changed = await cluster_api.http.patch(url, json={"egress": {"allow": OTHER}})
    assert changed.status_code == 200, changed.text
    assert cluster.read("one")["spec"]["egress"]["allow"] == OTHER
    name = {"egress": {"allow": [{"cidr": "example.com", "ports": [443]}]}}
    for method, path in (("POST", "/api/v1/session"), ("PATCH", url)):
        refused = await cluster_api.http.request(method, path, json=name)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["pointer"] == "#/egress/allow/0/cidr"
        assert "Host names cannot be given" in error["detail"]
    assert cluster.read("one")["spec"]["egress"]["allow"] == OTHER
