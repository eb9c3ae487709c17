"""From the last release to this checkout, with a session at work: its images, its chart and its definition of the
resource are installed first (tests/data/releases), and nothing is lost on the way.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from jelmore_local.servers import Endpoints
from jelmore_local.servers.nats import Nats
from tests.cluster.images.build import LAST
from tests.support.api import until
from tests.support.helm import CHART, ROOT
from tests.support.release import IMAGES, RELEASE, Release, moved, nats_values, session, turns
from tests.support.scripts import bash, say, script

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(600)]

LAST_CHART = ROOT / "tests" / "data" / "releases" / LAST / "chart.tgz"
WAIT = ("--force-conflicts", "--wait", "--timeout=5m")
#: Works until somebody makes the file.
LONG = script(bash("until [ -e go ]; do sleep 0.2; done; echo gone"), say("It came."))


@pytest.fixture
def values(
    kube_namespace: str,
    fresh_nats: Nats,
    endpoints: Endpoints,
    empty_database_url: str,
    reachable: Callable[[int], str],
    model_values: dict[str, Any],
) -> dict[str, Any]:
    """Values that both releases know. The log and the database are this test's own."""
    nats, policy = nats_values(fresh_nats.url, reachable)
    return {
        **model_values,
        "namespaces": [kube_namespace],
        "nats": nats,
        "database": {"url": moved(empty_database_url, reachable)[0]},
        "redis": {"url": moved(endpoints.redis_url, reachable)[0]},
        "networkPolicy": {**model_values["networkPolicy"], "nats": policy},
    }


def of_the_last() -> dict[str, Any]:
    return {name: {**image, "tag": LAST} for name, image in IMAGES.items()}


async def log(http: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    """All events, in order."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        answer = await http.get(f"/api/v1/session/{session_id}/events", params={"after": after, "limit": 500})
        page: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        if not page:
            return found
        found += page


async def send(http: httpx.AsyncClient, session_id: str, text: str) -> None:
    sent = {"text": text, "idempotency_key": uuid.uuid4().hex}
    answer = await http.post(f"/api/v1/session/{session_id}/input", json=sent)
    assert answer.status_code == 202, answer.text


async def pod(release: Release) -> tuple[str, str]:
    """The session's: its uid, and the image of its agent. Both "" where there is none."""
    found = await release.get("pod", "claude-first")
    if not found:
        return "", ""
    return found["metadata"]["uid"], found["spec"]["initContainers"][-1]["image"]


@pytest.mark.usefixtures("crd_changes")
async def test_an_upgrade_from_the_last_release_loses_nothing(
    release: Release, values: dict[str, Any], fresh_nats: Nats, tmp_path: Path
) -> None:
    await release.make_secrets(fresh_nats.identity_file, tmp_path / "nats")
    await release.chart("install", RELEASE, LAST_CHART, "--take-ownership", *WAIT, values=values | of_the_last())
    bearer = await release.token()
    async with release.api(bearer) as http:
        answer = await http.post("/api/v1/session", json={"name": "first", "query": LONG, "allowed_tools": ["Bash"]})
        assert answer.status_code == 201, answer.text
        session_id = answer.json()["id"]

        async def works() -> bool:
            # The tool runs: its call is in the log.
            return any("until [ -e go ]" in str(event) for event in (await log(http, session_id))[2:])

        await until(works, 90)
        before = await log(http, session_id)
    running = await pod(release)
    assert running[1].endswith(f":{LAST}")

    await release.chart("upgrade", RELEASE, CHART, *WAIT, values=values | IMAGES)

    async with release.api(bearer) as http:
        # The turn was not cut, by operator, API or definition.
        assert await pod(release) == running
        assert (await session(http, session_id))["status"] == "active"
        assert (await log(http, session_id))[: len(before)] == before
        await release.run("exec", "claude-first", "--container=claude", "--", "touch", "/workspace/go")
        await turns(http, session_id, 1)

        # The new parts and the old agent understand each other.
        await send(http, session_id, script(say("Again.")))
        await turns(http, session_id, 2)
        assert await pod(release) == running

        # The next run has the new image, and goes on where the old one was.
        await release.run("delete", "pod", "claude-first", "--wait=false")

        async def replaced() -> bool:
            return (await pod(release))[0] not in ("", running[0])

        await until(replaced, 90)
        assert (await pod(release))[1] == "docker.io/library/jelmore-session:test"
        await send(http, session_id, script(bash("cat go && echo here"), say("And again.")))
        await turns(http, session_id, 3)

        after = await log(http, session_id)
        assert after[: len(before)] == before
        assert [event["seq"] for event in after] == sorted({event["seq"] for event in after})
        assert sum(event["event_type"] == "session.turn_completed" for event in after) == 3
