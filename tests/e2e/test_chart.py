"""The chart on a cluster: installed, used over REST, upgraded, uninstalled; operator and API as pods."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from jelmore_local.servers import Endpoints
from tests.support.api import until
from tests.support.helm import CHART
from tests.support.release import IMAGES, RELEASE, Release, moved, nats_values, session, turns
from tests.support.scripts import bash, say, script, write

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(600)]

WORK = script(
    write("%cwd%/note.txt", "a note\n"),
    bash("git init -q . && git add -A && git -c user.name=T -c user.email=t@example.invalid commit -q -m work"),
    say("All is done."),
)
EVENTS = {
    *("session.created", "session.state_changed", "session.input", "session.output"),
    *("session.file_modified", "session.git_activity", "session.turn_completed"),
}
#: Everything of the chart that can be listed.
KINDS = (
    "deployments,pods,services,serviceaccounts,secrets,networkpolicies,roles,rolebindings,clusterroles,"
    "clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
)


@pytest.fixture
def values(
    kube_namespace: str,
    endpoints: Endpoints,
    database_url: str,
    reachable: Callable[[int], str],
    model_values: dict[str, Any],
) -> dict[str, Any]:
    """The servers are this machine's too."""
    nats, policy = nats_values(endpoints.nats_url, reachable)
    return {
        **IMAGES,
        **model_values,
        "namespaces": [kube_namespace],
        "nats": nats,
        "database": {"url": moved(database_url, reachable)[0]},
        "redis": {"url": moved(endpoints.redis_url, reachable)[0]},
        "sessions": {"egress": {"allowedCidrs": ["192.0.2.0/24"]}},
        "networkPolicy": {**model_values["networkPolicy"], "nats": policy},
    }


def changed_chart(folder: Path) -> Path:
    """The chart of a later version, whose definition gives every session more fields."""
    shutil.copytree(CHART, folder)
    file = folder / "files" / "claudesessions.yaml"
    definition = yaml.safe_load(file.read_text())
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["status"]["properties"]["later"] = {"type": "string", "description": "Of a later version."}
    for spec in (properties["spec"], properties["spec"]["properties"]["workspace"]):
        spec["properties"]["later"] = {"type": "boolean", "default": True, "description": "Of a later version."}
    file.write_text(yaml.safe_dump(definition))
    return folder


async def nothing_left(release: Release) -> bool:
    """Of the release; another test may have one of the same name elsewhere."""
    ours = ("--all-namespaces", f"--selector=app.kubernetes.io/instance={RELEASE}", "--output=json")
    left = json.loads(await release.run("get", KINDS, *ours))["items"]
    return not any(release.namespace in json.dumps(item["metadata"]) for item in left)


async def has_policy(release: Release) -> bool:
    return "networkpolicy.networking.k8s.io/claude-first" in await release.names("networkpolicies")


async def is_gone(release: Release, name: str) -> bool:
    return not await release.get("claudesession", name)


async def knows_later(release: Release) -> bool:
    """Whether the cluster's definition is the later version's."""
    definition = await release.get("crd", "claudesessions.jelmore.dev")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "later" in schema["properties"]["status"]["properties"]


@pytest.mark.usefixtures("crd_changes")
async def test_from_install_to_uninstall_and_back(
    release: Release, values: dict[str, Any], endpoints: Endpoints, tmp_path: Path
) -> None:
    await release.make_secrets(endpoints.nats_identity, tmp_path / "nats")
    # The definition may be there already, from other tests in this cluster.
    await release.chart(
        "install", RELEASE, CHART, "--take-ownership", "--force-conflicts", "--wait", "--timeout=3m", values=values
    )
    bearer = await release.token()

    async with release.api(bearer) as http:
        answer = await http.post("/api/v1/session", json={"name": "first", "query": WORK, "allowed_tools": ["Bash"]})
        assert answer.status_code == 201, answer.text
        session_id = answer.json()["id"]
        await turns(http, session_id, 1)
        page = (await http.get(f"/api/v1/session/{session_id}/events", params={"limit": 500})).json()
        assert {event["event_type"] for event in page["items"]} >= EVENTS
        made = await release.get("claudesession", "first")
        assert made["metadata"]["uid"] == session_id
        assert made["status"]["state"] == "idle"
        allow = {"egress": {"allow": [{"cidr": "192.0.2.7/32", "ports": [443]}]}}
        assert (await http.patch(f"/api/v1/session/{session_id}", json=allow)).status_code == 200
        await until(lambda: has_policy(release), 30)

    # A session works on while operator and API are replaced, and the new ones know it.
    later = values | {"operator": {"replicas": 1}, "api": {"audience": "later"}}
    chart = changed_chart(tmp_path / "chart")
    await release.chart("upgrade", RELEASE, chart, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    assert await knows_later(release)
    assert (await release.get("deployment", f"{RELEASE}-operator"))["spec"]["replicas"] == 1
    bearer = (await release.run("create", "token", "me", "--audience=later")).strip()
    async with release.api(bearer) as http:
        sent = {"text": script(say("Again.")), "idempotency_key": uuid.uuid4().hex}
        assert (await http.post(f"/api/v1/session/{session_id}/input", json=sent)).status_code == 202
        await turns(http, session_id, 2)
        # They do not know what the definition has, and every session says.
        assert (await release.get("claudesession", "first"))["spec"]["later"] is True
        answer = await http.post("/api/v1/session", json={"name": "second", "query": script(say("I am new."))})
        assert answer.status_code == 201, answer.text
        await turns(http, answer.json()["id"], 1)
        assert (await http.delete(f"/api/v1/session/{answer.json()['id']}")).status_code == 204
        await until(lambda: is_gone(release, "second"), 60)
    await release.chart("upgrade", RELEASE, CHART, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    assert not await knows_later(release)

    # Session, pod and definition stay; nothing else does.
    await release.chart("uninstall", RELEASE, "--wait", "--timeout=3m")
    assert await release.names("crd", "claudesessions.jelmore.dev")
    assert (await release.get("claudesession", "first"))["metadata"]["uid"] == session_id
    assert (await release.get("pod", "claude-first"))["status"]["phase"] == "Running"
    # Pods go a moment after what they belong to.
    await until(lambda: nothing_left(release), 90)

    # Installed again, it finds the session.
    await release.chart("install", RELEASE, CHART, "--force-conflicts", "--wait", "--timeout=3m", values=later)
    async with release.api(bearer) as http:
        assert (await session(http, session_id))["usage"]["turns"] == 2
