"""What is lost comes back: pods that are deleted or die, with the conversation, and each input run once."""

import json
from typing import Any

import pytest

from tests.support.platform import LIMIT_S, Platform
from tests.support.pod_processes import kill_in_pod
from tests.support.processes import wait_for
from tests.support.scripts import bash, say, script

pytestmark = [pytest.mark.real_cli, pytest.mark.timeout(300)]

SLOW = bash("for i in $(seq 100); do sleep 0.1; done; echo slept")


def payloads(platform: Platform, session: str, kind: str) -> list[dict[str, Any]]:
    return [e["payload"] for e in platform.events(session) if e["event_type"] == f"session.{kind}"]


def pod_uid(platform: Platform, name: str) -> str:
    return str(platform.get("pod", f"claude-{name}").get("metadata", {}).get("uid", ""))


def say_more(platform: Platform, session: str, *steps: dict[str, Any]) -> str:
    answer = platform.http.post(f"/api/v1/session/{session}/input", json={"text": script(*steps)})
    return str(answer.raise_for_status().json()["input_id"])


def test_a_pod_that_is_deleted_between_turns_is_followed_by_one_that_remembers(platform: Platform) -> None:
    session = platform.apply("kept", query=script(bash("echo remembered > note.txt"), say("Noted.")))
    platform.until_state("kept", "idle", turns=1)
    first = pod_uid(platform, "kept")
    platform.kubectl("delete", "-n", platform.namespace, "pod", "claude-kept")
    wait_for(lambda: pod_uid(platform, "kept") not in ("", first), LIMIT_S)
    say_more(platform, session, bash("cat note.txt"), say("Read."))
    status = platform.until_state("kept", "idle", turns=2, run=2)
    assert status["claudeSessionId"] == session
    output = json.dumps(payloads(platform, session, "output"))
    assert "remembered" in output
    assert [p["state"] for p in payloads(platform, session, "input")].count("completed") == 2


def test_a_pod_that_is_killed_in_a_turn_is_followed_by_one_that_goes_on(platform: Platform) -> None:
    """Without any grace that the session would notice."""
    session = platform.apply("cut", query=script(SLOW, say("Done.")), allowedTools=["Bash"])
    platform.until_state("cut", "active")
    platform.kubectl("delete", "-n", platform.namespace, "pod", "claude-cut", "--grace-period=1")
    status = platform.until_state("cut", "idle", turns=1, run=2)
    assert status["run"] == 2
    assert [e["reason"] for e in payloads(platform, session, "error")].count("interrupted") == 1
    assert [p["state"] for p in payloads(platform, session, "input")][-1] == "completed"
    sequence = [event["seq"] for event in platform.events(session)]
    assert sequence == sorted(set(sequence))


@pytest.mark.parametrize("victim", ["agent", "claude"])
def test_a_container_whose_process_is_killed(platform: Platform, victim: str) -> None:
    """The agent alone: the turn goes on. The launcher, and the CLI with it: a new run goes on."""
    session = platform.apply("hit", query=script(SLOW, say("Done.")), allowedTools=["Bash"])
    platform.until_state("hit", "active")
    pattern = {"agent": "jelmore_agent.main", "claude": "launcher"}[victim]
    # From outside of the pod: what runs in it may not kill either.
    uid = pod_uid(platform, "hit")
    assert kill_in_pod(uid, pattern)
    status = platform.until_state("hit", "idle", turns=1, run=1 if victim == "agent" else 2)
    assert status["run"] == (1 if victim == "agent" else 2)
    assert pod_uid(platform, "hit") == uid
    assert [p["state"] for p in payloads(platform, session, "input")][-1] == "completed"
