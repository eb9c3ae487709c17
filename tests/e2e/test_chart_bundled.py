"""The chart with servers of its own, as one would try it out: from nothing to a session's turn, and away again."""

import base64
from pathlib import Path
from typing import Any

import nats
import pytest

from jelmore_contract.subjects import namespace_events
from jelmore_operator.identity import Identity
from tests.support.api import until
from tests.support.flush import flush
from tests.support.helm import CHART, HelmError
from tests.support.release import IMAGES, RELEASE, Release, session, turns
from tests.support.scripts import bash, say, script

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = f"{RELEASE}-bundled"
#: NATS, PostgreSQL and Valkey in one, of the same programs: tests/cluster/images/servers.Dockerfile.
SERVERS = {"repository": "docker.io/library/servers", "tag": "test", "pullPolicy": "Never"}
INSTALL = ("--take-ownership", "--force-conflicts", "--wait", "--timeout=5m")


@pytest.fixture
def values(kube_namespace: str, model_values: dict[str, Any]) -> dict[str, Any]:
    bundled = {name: {"image": SERVERS} for name in ("nats", "postgres", "valkey")}
    return {**IMAGES, "namespaces": [kube_namespace], "bundled": {"enabled": True, **bundled}, **model_values}


async def data(release: Release) -> dict[str, bytes]:
    found = (await release.get("secret", SECRET))["data"]
    return {key: base64.b64decode(value) for key, value in found.items()}


async def what_helm_test_says(release: Release) -> str:
    """What `helm test` says, whether it is well or not."""
    try:
        return await release.chart("test", RELEASE, "--logs", "--timeout=3m")
    except HelmError:
        return await release.run("logs", f"{RELEASE}-test")


async def test_tried_out_tested_upgraded_and_removed(release: Release, values: dict[str, Any], tmp_path: Path) -> None:
    await release.run("create", "secret", "generic", "claude-credentials", "--from-literal=oauthToken=canary")
    await release.chart("install", RELEASE, CHART, *INSTALL, values=values)
    made = await data(release)
    bearer = await release.token()

    # A service from outside hears what happens.
    (tmp_path / "keys.json").write_bytes(made["nats-keys.json"])
    credentials = Identity.load(tmp_path / "keys.json").subscriber_credentials("tests", [release.namespace])
    (tmp_path / "tests.creds").write_text(credentials)
    async with (
        release.forwarded(f"service/{RELEASE}-nats", 4222) as address,
        release.api(bearer) as http,
    ):
        listening = await nats.connect(f"nats://{address}", user_credentials=str(tmp_path / "tests.creds"))
        heard = await listening.subscribe(namespace_events(release.namespace))
        await flush(listening)
        work = script(bash("echo made >note.txt"), say("All is done."))
        answer = await http.post("/api/v1/session", json={"name": "first", "query": work, "allowed_tools": ["Bash"]})
        assert answer.status_code == 201, answer.text
        session_id = answer.json()["id"]
        await turns(http, session_id, 1)
        kinds = set()
        while "session.turn_completed" not in kinds:
            kinds.add((await heard.next_msg(timeout=30)).subject.split(".", 4)[4])
        assert {"session.created", "session.output"} <= kinds
        await listening.close()

    said = await what_helm_test_says(release)
    assert said.count("ok     ") == 4, said

    # Upgraded, the keys and the data are the same; a server that is replaced finds its own again.
    later = values | {"bundled": values["bundled"] | {"postgres": {"image": SERVERS, "resources": {"limits": {}}}}}
    await release.chart("upgrade", RELEASE, CHART, *INSTALL[1:], values=later)
    assert await data(release) == made
    async with release.api(bearer) as http:
        assert (await session(http, session_id))["usage"]["turns"] == 1

    # What is wrong is said: here, nobody operates.
    await release.run("scale", f"deployment/{RELEASE}-operator", "--replicas=0")
    await release.run("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/component=operator", "--timeout=60s")
    said = await what_helm_test_says(release)
    assert "WRONG  No operator is at work" in said
    assert said.count("ok     ") == 3, said

    # Uninstalled, keys and data stay, and a later installation goes on with them.
    await release.chart("uninstall", RELEASE, "--wait", "--timeout=3m")
    assert await data(release) == made
    claims = {f"persistentvolumeclaim/data-{RELEASE}-{name}-0" for name in ("nats", "postgres")}
    assert await release.names("persistentvolumeclaims") >= claims
    await until(lambda: _only_the_session(release), 90)
    await release.chart("install", RELEASE, CHART, *INSTALL, values=values)
    async with release.api(bearer) as http:
        assert (await session(http, session_id))["usage"]["turns"] == 1
        events = (await http.get(f"/api/v1/session/{session_id}/events", params={"limit": 500})).json()["items"]
        assert "session.turn_completed" in {event["event_type"] for event in events}


async def _only_the_session(release: Release) -> bool:
    """No account, no right and no job of the release or of its hooks, and no pod but that of `helm test`, which Helm
    leaves for whoever wants to read what it said.
    """
    ours = f"--selector=app.kubernetes.io/instance={RELEASE}"
    left = await release.names("pods,jobs,serviceaccounts,roles,rolebindings,statefulsets,services", ours)
    return left == {f"pod/{RELEASE}-test"}
