"""A hibernated session is woken by an input, whichever way it comes, and runs it once: `jelmore up`, the real CLI."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest
import websockets

from jelmore_contract.commands import CommandKind, InputCommand, encode_command
from jelmore_contract.events import now
from jelmore_contract.subjects import SessionKey, command_subject
from tests.support.processes import wait_for
from tests.support.scripts import bash, say, script
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

LIMIT_S = 90.0
WORK = script(bash("echo once >> count.txt"), say("Counted."))


def create(up: Up) -> str:
    made = up.call("POST", "/api/v1/session", {"lifecycle": {"hibernate_after": "1s"}, "allowed_tools": ["Bash"]})
    return str(made["id"])


def until(up: Up, session: str, status: str, turns: int = 0) -> None:
    def reached() -> bool:
        seen = up.call("GET", f"/api/v1/session/{session}")
        return bool(seen["status"] == status and seen["usage"]["turns"] >= turns)

    wait_for(reached, LIMIT_S)


def by_rest(up: Up, session: str) -> None:
    up.call("POST", f"/api/v1/session/{session}/input", {"text": WORK})


def by_websocket(up: Up, session: str) -> None:
    async def send() -> None:
        url = f"{up.url.replace('http', 'ws', 1)}/api/v1/session/{session}/stream"
        async with websockets.connect(url, max_size=None) as stream:
            await stream.send(json.dumps({"type": "input", "text": WORK}))
            async for frame in stream:
                if json.loads(frame)["event_type"] == "stream.reply":
                    return

    asyncio.run(send())


def by_command(up: Up, session: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(up.home.parent), "JELMORE_HOME": str(up.home)}
    command = [sys.executable, "-m", "jelmore", "send", session, WORK]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr


def by_bus(up: Up, session: str) -> None:
    """As any service on the bus may."""

    async def publish() -> None:
        where = up.endpoints()["nats"]
        client = await nats.connect(where["url"], user_credentials=where["credentials"])
        body = encode_command(InputCommand(str(uuid.uuid4()), WORK), str(uuid.uuid4()), session, now())
        await client.jetstream().publish(command_subject(SessionKey("default", session), CommandKind.INPUT), body)
        await client.close()

    asyncio.run(publish())


WAYS: list[Callable[[Up, str], None]] = [by_rest, by_websocket, by_command, by_bus]


def told(up: Up, session: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = up.call("GET", f"/api/v1/session/{session}/events?limit=1000")["items"]
    return items


def assert_ran_once(up: Up, session: str) -> None:
    count = up.home / "sessions" / session / "workspace" / "count.txt"
    assert count.read_text() == "once\n"
    states = [event["payload"]["state"] for event in told(up, session) if event["event_type"] == "session.input"]
    assert states == ["queued", "delivered", "started", "completed"]


def test_whichever_way_an_input_comes_it_wakes_and_runs_once(up: Up) -> None:
    up.start()
    sessions = [create(up) for _ in WAYS]
    for session in sessions:
        until(up, session, "hibernated")
    for way, session in zip(WAYS, sessions, strict=True):
        way(up, session)
    for session in sessions:
        until(up, session, "hibernated", turns=1)
        assert_ran_once(up, session)
    # Kept asleep by a stop of everything, and killed in the middle of its next wake.
    session = create(up)
    until(up, session, "hibernated")
    by_rest(up, session)
    log = Path(up.home / "sessions" / session / "spool")
    wait_for(lambda: (log / "run-2.jsonl").exists(), LIMIT_S)
    up.signal(signal.SIGKILL)
    up.end()
    (up.home / "endpoints.json").unlink(missing_ok=True)
    up.start()
    until(up, session, "hibernated", turns=1)
    assert_ran_once(up, session)
    up.stop()
