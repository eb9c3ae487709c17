"""Workspaces of sessions on a cluster: a repository that is cloned in a step of the pod, and what the claim is like."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.cluster import KubectlFailed
from tests.support.git_server import TOKEN, USER, GitServer
from tests.support.platform import LIMIT_S, Platform
from tests.support.processes import wait_for
from tests.support.scripts import bash, say, script
from tests.support.ssh_server import SshServer

type Reachable = Callable[[int], str]


@pytest.fixture
def address(git_server: GitServer, reachable: Reachable) -> str:
    """Of the git server, as pods reach it."""
    return f"http://{reachable(urlsplit(git_server.url).port or 0)}"


def condition(status: dict[str, Any], kind: str = "WorkspaceReady") -> tuple[str, str, str]:
    found = next(each for each in status["conditions"] if each["type"] == kind)
    return found["status"], found["reason"], found["message"]


def in_claude(platform: Platform, name: str, *command: str) -> str:
    return platform.kubectl("exec", "-n", platform.namespace, f"claude-{name}", "-c", "claude", "--", *command)


def patch(platform: Platform, name: str, document: dict[str, Any]) -> None:
    kinds = ("claudesession", name, "--type=merge", "--patch", json.dumps(document))
    platform.kubectl("patch", "-n", platform.namespace, *kinds)


def warnings(platform: Platform, name: str) -> list[str]:
    """Messages of the session's Kubernetes events of type Warning."""
    events = [each for each in platform.items("events") if each["involvedObject"]["name"] == name]
    return [each["message"] for each in events if each["type"] == "Warning"]


def until_gone(platform: Platform, name: str) -> None:
    platform.kubectl("delete", "-n", platform.namespace, "claudesession", name, "--wait=false")
    wait_for(lambda: not platform.get("claudesession", name), LIMIT_S)


def test_a_private_repository_whose_token_claude_does_not_get(
    platform: Platform, git_server: GitServer, address: str
) -> None:
    repository = git_server.make("private/a.git")
    platform.secret("deploy", username=USER, password=TOKEN)
    git = {"url": f"{address}/private/a.git", "ref": "topic", "secretName": "deploy"}
    commands = (bash("git status --short && git commit -q --allow-empty -m more && git fetch"), say())
    platform.apply("a", query=script(*commands), allowedTools=["Bash"], workspace={"git": git})
    status = platform.until_state("a", "idle", turns=1)
    assert condition(status) == ("True", "Found", "")
    log = in_claude(platform, "a", "git", "-C", "/workspace", "log", "--format=%H %s").splitlines()
    assert log[0].endswith(" more")
    assert log[1] == f"{repository.topic} topic 2"
    # Neither in files, nor in the environment, nor by git, which has no more to show than anybody.
    assert (
        in_claude(
            platform, "a", "sh", "-c", f"grep -rl {TOKEN} /workspace /home/claude /tmp /proc/self/environ || true"
        )
        == ""
    )
    assert in_claude(platform, "a", "sh", "-c", "ls /etc/jelmore-git /volume 2>/dev/null || true") == ""
    with pytest.raises(KubectlFailed, match="could not read Username"):
        in_claude(platform, "a", "env", "GIT_TERMINAL_PROMPT=0", "git", "-C", "/workspace", "fetch")
    pod = platform.get("pod", "claude-a")
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["prepare", "clone", "agent"]

    # Asleep and awake again it needs neither the Secret nor the server.
    asked = git_server.requests
    platform.kubectl("delete", "-n", platform.namespace, "secret", "deploy")
    patch(platform, "a", {"spec": {"lifecycle": {"suspend": True}}})
    platform.until_state("a", "hibernated")
    patch(platform, "a", {"spec": {"lifecycle": {"suspend": False}}})
    platform.until_state("a", "idle", run=2)
    assert git_server.requests == asked
    assert in_claude(platform, "a", "git", "-C", "/workspace", "log", "--format=%H %s").splitlines() == log


def test_a_step_that_fails_is_named_with_what_to_do_and_not_repeated(
    platform: Platform, git_server: GitServer, address: str
) -> None:
    git_server.make("public/a.git")
    url = f"{address}/public/a.git"
    platform.apply("a", query=script(say()), workspace={"git": {"url": url, "ref": "nope"}})
    status = platform.until_state("a", "failed")
    problem = f"The step clone failed. {url} has no branch or tag nope: change the ref."
    assert status["message"].startswith(f"{problem} Then retry")
    assert condition(status) == ("False", "CloneFailed", problem)
    wait_for(lambda: not platform.get("pod", "claude-a"), LIMIT_S)
    assert condition(platform.status("a")) == ("False", "CloneFailed", problem)
    assert any(problem in message for message in warnings(platform, "a"))

    # A session that was made later has come by: nobody has tried the first again.
    asked = git_server.requests
    platform.apply("b", query=script(say()))
    platform.until_state("b", "idle", turns=1)
    assert git_server.requests == asked
    patch(platform, "a", {"spec": {"workspace": {"git": {"ref": "v1"}}}})
    platform.until_state("a", "idle", turns=1)
    assert in_claude(platform, "a", "cat", "/workspace/README.md") == "topic 2\n"


def test_by_ssh_and_tried_again_when_asked(platform: Platform, ssh_server: SshServer, reachable: Reachable) -> None:
    repository = ssh_server.make("a.git")
    host, _, port = reachable(ssh_server.port).partition(":")
    git = {"url": f"ssh://git@{host}:{port}/a.git", "secretName": "key"}
    platform.apply("a", query=script(say()), workspace={"git": git})
    status = platform.until_state("a", "failed")
    assert "the Secret key has no ssh-privatekey and no known_hosts" in status["message"]

    key = ssh_server.key.export_private_key().decode()
    platform.secret("key", **{"ssh-privatekey": key, "known_hosts": f"[{host}]:{port} ssh-ed25519 AAAA"})
    now = datetime.now(UTC) + timedelta(seconds=1)
    patch(platform, "a", {"metadata": {"annotations": {"jelmore.dev/retry-at": now.isoformat()}}})
    platform.until("a", lambda s: s["state"] == "failed" and "host key" in (s.get("message") or ""))

    known = ssh_server.known_hosts.replace(f"[127.0.0.1]:{ssh_server.port}", f"[{host}]:{port}")
    platform.secret("key", **{"ssh-privatekey": key, "known_hosts": known})
    session = str(platform.get("claudesession", "a")["metadata"]["uid"])
    platform.http.post(f"/api/v1/session/{session}/input", json={"text": script(say())}).raise_for_status()
    platform.until_state("a", "idle", turns=1)
    assert in_claude(platform, "a", "git", "-C", "/workspace", "rev-parse", "HEAD").strip() == repository.main


def test_a_claim_is_as_asked_for_and_stays_where_that_was_asked_too(platform: Platform) -> None:
    storage = {"size": "123Mi", "storageClassName": "local"}
    write = script(bash("echo text > /workspace/file"), say())
    spec: dict[str, Any] = {"query": write, "allowedTools": ["Bash"], "workspace": {"storage": storage, "retain": True}}
    session = platform.apply("a", **spec)
    platform.until_state("a", "idle", turns=1)
    claim = platform.get("pvc", "claude-a")
    assert claim["spec"]["storageClassName"] == "local"
    assert claim["spec"]["resources"]["requests"]["storage"] == "123Mi"
    until_gone(platform, "a")
    wait_for(lambda: platform.events(session)[-1]["event_type"] == "session.terminated", LIMIT_S)
    told = [e["payload"] for e in platform.events(session) if e["event_type"] == "session.state_changed"]
    assert told[-1]["message"] == "The claim claude-a is kept."
    kept = platform.get("pvc", "claude-a")
    assert kept["metadata"]["uid"] == claim["metadata"]["uid"]
    assert kept["metadata"].get("ownerReferences", []) == []

    # Another session does not get it by having the name; the same one does.
    platform.apply("a", query=script(say()))
    status = platform.until("a", lambda status: "is kept from an earlier session" in (status.get("message") or ""))
    assert condition(status)[:2] == ("False", "ClaimKept")
    until_gone(platform, "a")
    platform.apply("a", query=script(say()), sessionId=session)
    platform.until_state("a", "idle", turns=1)
    assert in_claude(platform, "a", "cat", "/workspace/file") == "text\n"
    until_gone(platform, "a")
    wait_for(lambda: not platform.get("pvc", "claude-a"), LIMIT_S)


def test_an_ephemeral_workspace_has_no_claim_and_says_so(
    platform: Platform, git_server: GitServer, address: str
) -> None:
    git_server.make("public/a.git")
    workspace = {"storage": {"ephemeral": True}, "git": {"url": f"{address}/public/a.git", "depth": 1}}
    platform.apply("a", query=script(say()), workspace=workspace)
    status = platform.until_state("a", "idle", turns=1)
    assert condition(status, "Durable")[:2] == ("False", "Ephemeral")
    assert platform.get("pvc", "claude-a") == {}
    assert in_claude(platform, "a", "git", "-C", "/workspace", "log", "--format=%s") == "main 1\n"
