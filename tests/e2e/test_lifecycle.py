"""A session's life in a pod by its spec, and what a cluster may do to it: each ends in a state with words that say what
to do, in the resource and in Events. Many sessions at a time, since each of these takes its while.
"""

import json
import time
from typing import Any

import pytest

from tests.support.cluster import KubectlFailed
from tests.support.platform import LIMIT_S, Platform
from tests.support.processes import wait_for
from tests.support.scripts import bash, say, script

pytestmark = [pytest.mark.real_cli, pytest.mark.timeout(420)]

SLOW = bash("for i in $(seq 600); do sleep 0.1; done; echo slept")
#: Too little for Claude Code to start.
TIGHT = {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}
WIDE = {"requests": {"memory": "256Mi"}, "limits": {"memory": "4Gi"}}
GHOST = "ghost"


def happened(platform: Platform, name: str) -> list[str]:
    """Reasons of the session's Events, by the alphabet: several can be of one second."""
    ours = [event for event in platform.items("events") if event["involvedObject"]["name"] == name]
    return sorted(event["reason"] for event in ours)


def pod_uid(platform: Platform, name: str) -> str:
    return str(platform.get("pod", f"claude-{name}").get("metadata", {}).get("uid", ""))


def condition(platform: Platform, name: str, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = platform.status(name).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def patch(platform: Platform, name: str, **spec: Any) -> None:
    document = json.dumps({"spec": spec})
    platform.kubectl("patch", "-n", platform.namespace, "claudesession", name, "--type=merge", "-p", document)


def payloads(platform: Platform, session: str, kind: str) -> list[dict[str, Any]]:
    return [e["payload"] for e in platform.events(session) if e["event_type"] == f"session.{kind}"]


def send(platform: Platform, session: str, *steps: dict[str, Any]) -> int:
    return platform.http.post(f"/api/v1/session/{session}/input", json={"text": script(*steps)}).status_code


def until_message(platform: Platform, name: str, words: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
    return platform.until(name, lambda status: words in str(status.get("message")), limit_s)


def test_a_life_by_the_spec(platform: Platform) -> None:
    sleeper = platform.apply("sleeper", query=script(say("Hello.")), lifecycle={"hibernateAfter": "3s"})
    old = platform.apply(
        "old",
        query=script(SLOW, say("never")),
        allowedTools=["Bash"],
        lifecycle={"maxLifetime": "40s", "ttlAfterFinished": "15s"},
    )
    tight = platform.apply("tight", query=script(say("Hello.")), resources=TIGHT)
    poor = platform.apply("poor", query=script(say("Hello.")), budget={"usd": 0.01})

    # Asleep: no pod, and all that it needs to go on.
    platform.until_state("sleeper", "hibernated", turns=1)
    wait_for(lambda: not platform.get("pod", "claude-sleeper"), LIMIT_S)
    assert platform.get("pvc", "claude-sleeper")["status"]["phase"] == "Bound"
    assert send(platform, sleeper, say("Awake.")) == 202
    platform.until_state("sleeper", "hibernated", turns=2, run=2)
    assert happened(platform, "sleeper") == ["Hibernated", "Hibernated", "Resumed", "Started"]
    assert [each["state"] for each in payloads(platform, sleeper, "input")].count("completed") == 2

    # Suspended: stronger than an input, until it is not.
    patch(platform, "sleeper", lifecycle={"suspend": True, "hibernateAfter": "1h"})
    until_message(platform, "sleeper", "set lifecycle.suspend to false")
    assert send(platform, sleeper, say("Still here.")) == 202
    patch(platform, "sleeper", lifecycle={"suspend": False})
    platform.until_state("sleeper", "idle", turns=3)

    # Edited while it runs: at once, at the next run, never.
    pod = pod_uid(platform, "sleeper")
    patch(platform, "sleeper", model="haiku", permissionMode="plan", resources=WIDE)
    wait_for(lambda: send_and_look(platform, sleeper)[0].startswith("claude-haiku"), LIMIT_S)
    assert send_and_look(platform, sleeper)[1] == "plan"
    assert pod_uid(platform, "sleeper") == pod
    with pytest.raises(KubectlFailed, match="cannot be changed: send another input instead"):
        patch(platform, "sleeper", query="another")

    # No memory for Claude Code: failed, tried again in vain, mended. Where the kernel ends a container whole (cgroup
    # v2), the kubelet goes on trying instead.
    starved = platform.until("tight", lambda status: gave_up(status) or out_of_memory(status), 3 * LIMIT_S)
    assert "resources.limits.memory" in starved["message"]
    if gave_up(starved):
        assert "Failed" in happened(platform, "tight")
        assert condition(platform, "tight", "Stalled")["message"] == starved["message"]
        assert platform.http.post(f"/api/v1/session/{tight}/retry").status_code == 202
        platform.until("tight", lambda status: not gave_up(status))
    patch(platform, "tight", resources=WIDE)
    platform.kubectl("delete", "-n", platform.namespace, "pod", "claude-tight", "--ignore-not-found")
    platform.until_state("tight", "idle", turns=1)

    # Beyond its budget: inputs wait, and run once it is raised.
    until_message(platform, "poor", "Raise budget.usd")
    assert send(platform, poor, say("Richer.")) == 202
    patch(platform, "poor", budget={"usd": 5})
    platform.until("poor", lambda status: status["usage"]["turns"] == 2 and "blocked" not in status)
    assert "BudgetUsed" in happened(platform, "poor")

    # Too old: ended for good, then gone.
    platform.until("old", lambda status: not status or status["state"] == "terminated")
    wait_for(lambda: send(platform, old, say("no")) == 409, LIMIT_S)
    wait_for(lambda: not platform.get("claudesession", "old"), LIMIT_S)
    assert {"Terminated", "Expired", "Deleted"} <= set(happened(platform, "old"))
    assert payloads(platform, old, "terminated") == [{"reason": "max_lifetime"}]


def gave_up(status: dict[str, Any]) -> bool:
    return bool(status["state"] == "failed")


def out_of_memory(status: dict[str, Any]) -> bool:
    return any(each["reason"] == "OutOfMemory" for each in status.get("conditions", ()) if each["type"] == "Ready")


def send_and_look(platform: Platform, session: str) -> tuple[str, str]:
    """Model and permission mode of a new turn."""
    before = len(payloads(platform, session, "turn_completed"))
    assert send(platform, session, say("Look.")) == 202
    wait_for(lambda: len(payloads(platform, session, "turn_completed")) > before, LIMIT_S)
    init = [line for line in payloads(platform, session, "output") if line.get("subtype") == "init"][-1]
    return init["model"], init["permissionMode"]


def test_what_a_cluster_does_to_a_pod(platform: Platform) -> None:
    evicted = platform.apply("evicted", query=script(SLOW, say("Done.")), allowedTools=["Bash"])
    platform.until_state("evicted", "active")
    first = pod_uid(platform, "evicted")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "claude-evicted"}}
    path = f"/api/v1/namespaces/{platform.namespace}/pods/claude-evicted/eviction"
    platform.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    wait_for(lambda: pod_uid(platform, "evicted") not in ("", first), LIMIT_S)
    platform.until_state("evicted", "active", run=2)
    assert happened(platform, "evicted") == ["Disrupted", "Resumed", "Started"]
    assert [each["reason"] for each in payloads(platform, evicted, "error")] == ["interrupted"]

    # A quota: refused with words, and gone by itself when there is room.
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "1"}},
    }
    platform.kubectl("apply", "-n", platform.namespace, "-f", "-", input=json.dumps(quota))
    wait_for(lambda: "used" in platform.get("resourcequota", "small").get("status", {}), LIMIT_S)
    platform.apply("refused", query=script(say("Hello.")))
    refused = until_message(platform, "refused", "Raise the namespace's ResourceQuota")
    assert refused["state"] == "pending"
    assert condition(platform, "refused", "Ready")["reason"] == "QuotaExceeded"
    platform.kubectl("delete", "-n", platform.namespace, "resourcequota", "small")
    platform.until_state("refused", "idle", turns=1)
    assert "QuotaExceeded" in happened(platform, "refused")

    # Another image in the operator's settings: not for a pod that runs.
    kept = pod_uid(platform, "refused")
    platform.operator.stop()
    platform.operator.start(JELMORE_SESSION_IMAGE="docker.io/library/jelmore-session:none")
    patch(platform, "evicted", lifecycle={"suspend": True})
    platform.until_state("evicted", "hibernated")
    assert pod_uid(platform, "refused") == kept
    patch(platform, "evicted", lifecycle={"suspend": False})
    until_message(platform, "evicted", "jelmore-session:none cannot be pulled")
    platform.operator.stop()
    platform.operator.start()
    platform.until_state("evicted", "active", run=3)
    assert pod_uid(platform, "refused") == kept
    assert "ImagePullProblem" in happened(platform, "evicted")


def ghost(platform: Platform) -> None:
    """A node whose kubelet is away: it takes pods, and nobody there runs or ends them."""
    labels = {"kubernetes.io/hostname": GHOST, "jelmore.dev/ghost": "yes"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": GHOST, "labels": labels}}
    taints = [{"key": "jelmore.dev/ghost", "value": "yes", "effect": "NoSchedule"}]
    platform.kubectl("apply", "-f", "-", input=json.dumps({**node, "spec": {"taints": taints}}))
    amounts = {"cpu": "8", "memory": "16Gi", "pods": "20"}
    ready = {"type": "Ready", "status": "True", "reason": "Ghost", "message": ""}
    status = {"capacity": amounts, "allocatable": amounts, "conditions": [ready]}
    platform.kubectl(
        *("patch", "node", GHOST, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    )


def test_a_pod_whose_node_is_lost_keeps_the_next_run_from_starting(platform: Platform) -> None:
    """Claude Code may still run there: never two on one conversation."""
    ghost(platform)
    try:
        # The node controller taints a node that says nothing: the pod puts up with all of that.
        place = {"nodeSelector": {"jelmore.dev/ghost": "yes"}, "tolerations": [{"operator": "Exists"}]}
        ephemeral = {"storage": {"ephemeral": True}}
        platform.apply("lost", query=script(say("Hello.")), podTemplate=place, workspace=ephemeral)
        wait_for(lambda: platform.get("pod", "claude-lost").get("spec", {}).get("nodeName") == GHOST, LIMIT_S)
        first = pod_uid(platform, "lost")
        began = time.monotonic()
        platform.kubectl("delete", "-n", platform.namespace, "pod", "claude-lost", "--wait=false")
        status = until_message(platform, "lost", "its node ghost does not answer", 3 * LIMIT_S)
        assert time.monotonic() - began > 60
        assert "node.kubernetes.io/out-of-service" in status["message"]
        assert pod_uid(platform, "lost") == first
        assert condition(platform, "lost", "Ready")["reason"] == "FencingRequired"
        wait_for(lambda: "FencingRequired" in happened(platform, "lost"))  # made after the status is written
        # What the message says to do.
        patch(platform, "lost", podTemplate={"nodeSelector": None, "tolerations": None})
        platform.kubectl("taint", "node", GHOST, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
        platform.until_state("lost", "idle", turns=1)
        assert pod_uid(platform, "lost") != first
    finally:
        platform.kubectl("delete", "node", GHOST, "--wait=false")
