"""The product as its users meet it: `jelmore up`, its own six calls, all of its events, with the real CLI."""

import asyncio
import json
import shlex
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import nats
import pytest
import websockets
from nats.aio.msg import Msg

from tests.support.api import until
from tests.support.asyncapi import Judge
from tests.support.processes import processes_of, wait_for
from tests.support.scripts import ask, bash, say, script, write
from tests.support.up import Up

pytestmark = pytest.mark.real_cli

ASKS = """python3 -c 'open("asked.txt", "w").write("yes")'"""
EVENTS = {
    *("created", "state_changed", "output", "directory_changed", "file_modified", "git_activity", "input"),
    *("approval_requested", "approval_resolved", "turn_completed", "diff", "terminated"),
}
#: A file by a tool and one by a Bash child, a directory, a quiet commit in a script, a question, a request for leave.
WORK = [
    write("%cwd%/note.txt", "a note\n"),
    bash("mkdir lib && cd lib && (echo made by a child > child.txt)"),
    bash("printf 'git init -q .. && git add -A .. && git commit -q -m work\\n' > c.sh && sh c.sh"),
    ask("Which colour?", "Red", "Blue"),
    bash(ASKS),
    say("All is done."),
]
WHO = "[user]\n\tname = Tester\n\temail = tester@example.invalid\n"


def until_status(up: Up, session: str, status: str, turns: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def reached() -> bool:
        found.update(up.call("GET", f"/api/v1/session/{session}"))
        return bool(found["status"] == status and found["usage"]["turns"] >= turns)

    wait_for(reached, 40)
    return found


def answer_all(up: Up, session: str) -> None:
    """Allows whatever is asked, by REST, until the turn is over."""
    path = f"/api/v1/session/{session}"

    answered: set[str] = set()

    def over() -> bool:
        items = up.call("GET", f"{path}/approvals")["items"]
        # One that was answered is listed until its agent has heard of it, and then takes no answer any more.
        for asked in [asked for asked in items if asked["approval_id"] not in answered]:
            answered.add(asked["approval_id"])
            more = {"answers": {"Which colour?": "Blue"}} if asked["kind"] == "question" else {}
            up.call("POST", f"{path}/approvals/{asked['approval_id']}", {"decision": "allow"} | more)
        now = up.call("GET", path)
        return bool(now["status"] == "idle" and now["usage"]["turns"] >= 1)

    wait_for(over, 60)


def patch_of(up: Up, session: str) -> str | None:
    """What the session changed; None where it has not been told yet."""
    try:
        return str(up.call("GET", f"/api/v1/session/{session}/diff")["patch"])
    except urllib.error.HTTPError as error:
        error.close()
        return None


async def replay(up: Up, session: str, after: int | None = None) -> list[dict[str, Any]]:
    """The events of a session up to `stream.ready`, or up to its end."""
    events: list[dict[str, Any]] = []
    url = f"ws://127.0.0.1:{up.port}/api/v1/session/{session}/stream"
    async with websockets.connect(url + (f"?after={after}" if after is not None else ""), max_size=None) as stream:
        async for frame in stream:
            event = json.loads(frame)
            if event["event_type"] == "stream.ready":
                break
            events.append(event)
    return events


def test_the_first_curl_word_for_word(up: Up) -> None:
    up.start()
    curl = (
        "curl -s -X POST http://localhost:8000/api/v1/session "
        '-H "Content-Type: application/json" -d \'{"query": "Help me create a Python FastAPI application"}\''
    )
    printed = subprocess.run(
        shlex.split(curl.replace(":8000", f":{up.port}")), capture_output=True, check=True, text=True, timeout=20
    ).stdout
    session = json.loads(printed)
    assert session["status"] == "pending"
    until_status(up, session["id"], "idle", turns=1)
    path = f"/api/v1/session/{session['id']}"
    wait_for(lambda: up.call("GET", path)["output_buffer_size"] > 0, 20)  # Redis follows PostgreSQL
    done = up.call("GET", path)
    fixed = ("id", "status", "current_directory", "created_at", "last_activity", "output_buffer_size")
    assert set(fixed) <= done.keys()
    assert Path(done["current_directory"]).is_relative_to(up.home)
    assert [item["id"] for item in up.call("GET", "/api/v1/sessions")["items"]] == [session["id"]]
    assert up.stop()[0] == 0


def test_delete_in_a_turn_ends_it_with_its_result(up: Up) -> None:
    up.start()
    slow = script(say("slowly", chars=6000, deltas=600, delay_ms=50))
    session = up.call("POST", "/api/v1/session", {"query": slow})["id"]
    until_status(up, session, "active")
    folder = up.home / "sessions" / session
    up.call("DELETE", f"/api/v1/session/{session}")
    until_status(up, session, "terminated")
    page = up.call("GET", f"/api/v1/session/{session}/events?limit=500")["items"]
    ends = [e["payload"] for e in page if e["event_type"] == "session.turn_completed"]
    assert [end["subtype"] for end in ends] == ["error_during_execution"]
    assert [e["payload"]["state"] for e in page if e["event_type"] == "session.input"][-1] == "cancelled"
    assert page[-1]["event_type"] == "session.terminated"
    wait_for(lambda: not folder.exists(), 20)
    assert up.stop()[0] == 0


async def test_a_life_with_every_kind_of_event(up: Up, judge: Judge) -> None:
    (up.home.parent / ".gitconfig").write_text(WHO)
    up.start()
    bus = up.endpoints()["nats"]
    stranger = await nats.connect(bus["url"], user_credentials=bus["credentials"])
    heard: list[tuple[str, dict[str, Any]]] = []

    async def hear(message: Msg) -> None:
        heard.append((message.subject, json.loads(message.data)))

    await stranger.subscribe("jelmore.event.default.*.>", cb=hear)
    await judge.listen(stranger)
    spec = {"query": script(*WORK), "allowed_tools": ["Bash(mkdir:*)", "Bash(cd:*)", "Bash(printf:*)", "Bash(sh:*)"]}
    session = up.call("POST", "/api/v1/session", spec | {"name": "life"})["id"]

    await asyncio.to_thread(answer_all, up, session)
    again = up.call("POST", f"/api/v1/session/{session}/input", {"text": script(say("Twice.")), "idempotency_key": "k"})
    assert (
        up.call("POST", f"/api/v1/session/{session}/input", {"text": script(say("Twice.")), "idempotency_key": "k"})[
            "input_id"
        ]
        == again["input_id"]
    )
    await asyncio.to_thread(until_status, up, session, "idle", 2)

    await asyncio.to_thread(wait_for, lambda: patch_of(up, session) is not None, 40)
    live = await replay(up, session)
    middle = live[len(live) // 2]["seq"]
    assert await replay(up, session, middle) == [event for event in live if event["seq"] > middle]

    folder = up.home / "sessions" / session
    up.call("DELETE", f"/api/v1/session/{session}")
    await asyncio.to_thread(until_status, up, session, "terminated")
    await asyncio.to_thread(wait_for, lambda: not folder.exists(), 20)
    assert processes_of(folder) == set()

    log = await replay(up, session)
    assert log[: len(live)] == live
    assert [event["seq"] for event in log] == sorted({event["seq"] for event in log})
    assert log[-1]["event_type"] == "session.terminated"
    assert {event["event_type"].removeprefix("session.") for event in log} == EVENTS
    files = {event["payload"]["path"] for event in log if event["event_type"] == "session.file_modified"}
    assert {"lib/child.txt", "lib/c.sh", "note.txt"} <= files
    commits = [e["payload"] for e in log if e["event_type"] == "session.git_activity" and e["payload"]["to"]]
    assert [(commit["operation"], commit["message"]) for commit in commits] == [("commit", "work")]
    assert commits[0]["turn"] == 1

    # What was published is heard, in its order, at the stranger's own pace.
    await until(lambda: any(subject.endswith(f".{session}.session.terminated") for subject, _ in heard))
    told = [subject for subject, _ in heard if f".{session}." in subject]
    assert {subject.split(".", 4)[4].removeprefix("session.") for subject in told} == EVENTS
    assert [event for _, event in heard if event["session_id"] == session] == [
        {name: value for name, value in event.items() if name != "seq"} for event in log
    ]
    await stranger.close()
    assert judge.faults == []
    assert "+++ b/note.txt\n@@ -0,0 +1 @@\n+a note\n" in (patch_of(up, session) or "")
    assert all(judge.fault_of("StreamEvent", event) is None for event in log)
    with pytest.raises(urllib.error.HTTPError, match="409"):
        up.call("POST", f"/api/v1/session/{session}/input", {"text": "still there?"})
    assert up.stop()[0] == 0
