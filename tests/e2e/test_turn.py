"""A session as a pod, as its users meet it: one life with every kind of event, by the real CLI."""

import asyncio
import json
from typing import Any

import httpx
import nats
import pytest
import websockets
from nats.aio.msg import Msg

from jelmore_local.servers import Endpoints
from tests.support.flush import flush
from tests.support.platform import LIMIT_S, Platform
from tests.support.processes import wait_for
from tests.support.scripts import ask, bash, say, script, write

pytestmark = [pytest.mark.real_cli, pytest.mark.timeout(300)]

EVENTS = {
    *("created", "state_changed", "output", "directory_changed", "file_modified", "git_activity", "input"),
    *("quota", "approval_requested", "approval_resolved", "turn_completed", "diff", "terminated"),
}
WORK = [
    write("%cwd%/note.txt", "a note\n"),
    bash("mkdir lib && cd lib && (echo made by a child > child.txt)"),
    bash("printf 'git init -q .. && git add -A .. && git commit -q -m work\\n' > c.sh && sh c.sh"),
    ask("Which colour?", "Red", "Blue"),
    bash("""python3 -c 'open("asked.txt", "w").write("yes")'"""),
    say("All is done."),
]
ALLOWED = ["Bash(mkdir:*)", "Bash(cd:*)", "Bash(printf:*)", "Bash(sh:*)"]


def answer_all(platform: Platform, session: str) -> None:
    """Allows whatever is asked, by REST, until the turn is over."""
    path = f"/api/v1/session/{session}"

    answered: set[str] = set()

    def over() -> bool:
        items = platform.http.get(f"{path}/approvals").raise_for_status().json()["items"]
        # One that was answered is listed until its agent has heard of it, and then takes no answer any more.
        for asked in [asked for asked in items if asked["approval_id"] not in answered]:
            answered.add(asked["approval_id"])
            more = {"answers": {"Which colour?": "Blue"}} if asked["kind"] == "question" else {}
            body = {"decision": "allow", **more}
            platform.http.post(f"{path}/approvals/{asked['approval_id']}", json=body).raise_for_status()
        now = platform.http.get(path).raise_for_status().json()
        return bool(now["status"] == "idle" and now["usage"]["turns"] >= 1)

    wait_for(over, LIMIT_S)


def left(platform: Platform) -> list[str]:
    """What the namespace has of sessions."""
    return [
        item["kind"] for kind in ("pods", "persistentvolumeclaims", "claudesessions") for item in platform.items(kind)
    ]


def diff(platform: Platform, session: str) -> httpx.Response:
    """What the session changed."""
    return platform.http.get(f"/api/v1/session/{session}/diff")


async def replay(platform: Platform, session: str, after: int = 0) -> list[dict[str, Any]]:
    """The events of a session up to `stream.ready`, or up to its end."""
    events: list[dict[str, Any]] = []
    url = f"{str(platform.http.base_url).replace('http', 'ws', 1)}/api/v1/session/{session}/stream?after={after}"
    headers = {"Authorization": f"Bearer {platform.token}"}
    async with websockets.connect(url, max_size=None, additional_headers=headers) as stream:
        async for frame in stream:
            event = json.loads(frame)
            if event["event_type"] == "stream.ready":
                break
            events.append(event)
    return events


async def test_a_life_in_a_pod_with_every_kind_of_event(platform: Platform, endpoints: Endpoints) -> None:
    stranger = await nats.connect(endpoints.nats_url, user_credentials=str(endpoints.nats_credentials))
    heard: list[dict[str, Any]] = []

    async def hear(message: Msg) -> None:
        heard.append(json.loads(message.data))

    await stranger.subscribe(f"jelmore.event.{platform.namespace}.*.>", cb=hear)
    await flush(stranger)
    session = await asyncio.to_thread(platform.apply, "life", query=script(*WORK), allowedTools=ALLOWED)
    await asyncio.to_thread(platform.until_state, "life", "waiting_input")
    await asyncio.to_thread(answer_all, platform, session)
    status = await asyncio.to_thread(platform.until_state, "life", "idle", turns=1)
    assert (status["podName"], status["currentDirectory"]) == ("claude-life", "/workspace/lib")

    await asyncio.to_thread(wait_for, lambda: diff(platform, session).status_code == 200, LIMIT_S)
    live = await replay(platform, session)
    middle = live[len(live) // 2]["seq"]
    assert await replay(platform, session, middle) == [event for event in live if event["seq"] > middle]

    await asyncio.to_thread(platform.kubectl, "delete", "-n", platform.namespace, "claudesession", "life")
    await asyncio.to_thread(wait_for, lambda: not left(platform), LIMIT_S)

    log = await replay(platform, session)
    assert log[: len(live)] == live
    assert {event["event_type"].removeprefix("session.") for event in log} == EVENTS
    assert log[-1]["event_type"] == "session.terminated"
    files = {event["payload"]["path"] for event in log if event["event_type"] == "session.file_modified"}
    assert {"lib/child.txt", "lib/c.sh", "note.txt"} <= files
    commits = [e["payload"] for e in log if e["event_type"] == "session.git_activity" and e["payload"]["to"]]
    assert [(commit["operation"], commit["message"]) for commit in commits] == [("commit", "work")]
    assert [event for event in heard if event["session_id"] == session] == [
        {name: value for name, value in event.items() if name != "seq"} for event in log
    ]
    made = diff(platform, session).json()  # the pod is gone, its log is not
    assert (made["turn"], made["truncated"]) == (1, False)
    assert "+++ b/note.txt\n@@ -0,0 +1 @@\n+a note\n" in made["patch"]
    await stranger.close()
