"""The Python client against everything that `jelmore up` starts, with the real CLI and the demo model."""

import asyncio
import json
import os
import signal
import threading
from typing import Any

import pytest

from jelmore import (
    Answer,
    Approval,
    AsyncJelmore,
    Jelmore,
    SessionEnded,
    SessionFailed,
    TimedOut,
    TurnFailed,
    allow,
    deny,
)
from jelmore.events import Event, FileModified, InputChanged, Output, StateChanged, Terminated
from tests.support.processes import eventually, wait_for
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

LIMIT_S = 90.0


def script(*steps: Any) -> str:
    return f"@@{json.dumps(steps)}@@"


RUNS = [{"tool": "Bash", "input": {"command": "python3 -c 1"}}, {"text": "It is over."}]
QUESTION = {"question": "Which?", "header": "Choice", "multiSelect": False}
OPTIONS = [{"label": "Blue", "description": "b"}, {"label": "Red", "description": "r"}]
ASKS = [{"tool": "AskUserQuestion", "input": {"questions": [{**QUESTION, "options": OPTIONS}]}}, {"text": "Well."}]


def test_a_session_without_asyncio(up: Up) -> None:
    up.start()
    with Jelmore(up.url) as jelmore:
        session = jelmore.create("Help me create a Python FastAPI application", name="demo")
        first = session.result(timeout=LIMIT_S)
        assert first.text
        assert first.usage.turns == 1
        assert first.usage.output_tokens > 0
        assert session.wait() == "idle"
        assert session.wait("idle", "failed", timeout=LIMIT_S) == session.status == "idle"
        assert any(isinstance(event, FileModified) for event in session.stream(follow=False))

        # Approvals by callback, in this thread; the callback may use the client itself.
        asked: list[Approval] = []

        def answer(approval: Approval) -> Answer:
            assert threading.current_thread() is threading.main_thread()
            assert [one.approval_id for one in session.approvals()] == [approval.approval_id]
            asked.append(approval)
            if approval.kind == "question":
                return allow(answers={"Which?": "Blue"})
            return allow() if len(asked) == 1 else deny("Not that.")

        told: list[Event] = []
        allowed = session.ask(script(*RUNS), on_approval=answer, on_event=told.append, timeout=LIMIT_S)
        assert (allowed.text, allowed.usage.turns) == ("It is over.", 1)
        assert allowed.input_id in {event.payload.get("input_id") for event in told}
        assert session.ask(script(*RUNS), on_approval=answer, timeout=LIMIT_S).text == "It is over."
        assert session.ask(script(*ASKS), on_approval=answer, timeout=LIMIT_S).text == "Well."
        assert [one.kind for one in asked] == ["approval", "approval", "question"]
        answers = [e.payload["decision"] for e in session.events() if e.event_type == "session.approval_resolved"]
        assert answers == ["allow", "deny", "allow"]

        # What goes wrong.
        with pytest.raises(TurnFailed, match="the turn failed: ") as failed:
            session.ask(script({"error": 403}), timeout=LIMIT_S)
        assert failed.value.result.input_id
        with pytest.raises(TimedOut):
            session.ask(script(*RUNS), timeout=3)
        assert session.wait("waiting_input", timeout=LIMIT_S) == "waiting_input"
        session.interrupt()
        assert session.wait("idle", timeout=LIMIT_S) == "idle"

        # The same key again is the same input: its turn is not run again, and its result is found.
        receipt = session.send("Say hello", key="k")
        result = session.result(receipt, timeout=LIMIT_S)
        assert session.ask("Say hello", key="k", timeout=LIMIT_S).text == result.text
        turns = session.refresh().usage.turns

        # The log, in three ways.
        log = [event.text for event in session.export()]
        assert [event.seq for event in session.events()] == [json.loads(line)["seq"] for line in log]
        assert [event.body for event in session.stream(follow=False)] == [json.loads(line) for line in log]
        lines = b"".join(
            session.content(event) + b"\n" for event in session.stream(follow=False) if isinstance(event, Output)
        )
        assert lines == (up.home / "sessions" / session.id / "spool" / "run-1.jsonl").read_bytes()

        assert [one.id for one in jelmore.list(status="idle")] == [session.id] == [jelmore.find("demo").id]
        assert session.patch(lifecycle={"suspend": True}).spec["lifecycle"]["suspend"] is True
        assert session.wait("hibernated", timeout=LIMIT_S) == "hibernated"
        assert session.refresh().usage.turns == turns
        session.delete()
        with pytest.raises(SessionFailed, match="terminated"):
            session.wait("idle", timeout=LIMIT_S)
        assert session.wait("terminated") == "terminated"
        assert isinstance(list(session.stream())[-1], Terminated)
        with pytest.raises(SessionEnded):
            session.send("Hello?")
    assert up.stop()[0] == 0


async def test_streaming_and_asking_across_restarts_of_the_api(up: Up) -> None:
    await asyncio.to_thread(up.start)
    # A busy machine may take longer to start the API again than a client asks for by itself.
    async with AsyncJelmore(up.url, retries=20) as jelmore:
        session = await jelmore.create(name="demo")
        assert await session.wait(timeout=LIMIT_S) == "idle"
        seen: list[Event] = []
        lost: list[None] = []

        async def watch() -> None:
            async for event in session.stream(on_lost=lambda: lost.append(None)):
                seen.append(event)

        watching = asyncio.create_task(watch())
        for number in range(3):
            # It is killed while the turn runs, and an input is sent while nobody listens.
            steps = [{"tool": "Bash", "input": {"command": f"echo {number} > file-{number}"}}] * 3
            asking = asyncio.create_task(
                session.ask(script(*steps, {"text": f"Turn {number}."}), on_approval=allowing, timeout=LIMIT_S)
            )
            await grown(seen)
            killed = up.pid_of("api")
            os.kill(killed, signal.SIGKILL)
            assert (await asking).text == f"Turn {number}."
        killed = up.pid_of("api")
        os.kill(killed, signal.SIGKILL)
        assert (await session.ask("Say hello", timeout=LIMIT_S)).text
        await asyncio.to_thread(wait_for, lambda: up.pid_of("api") != killed)
        await session.delete()
        await asyncio.wait_for(watching, LIMIT_S)
        stored = [event async for event in session.events()]
    assert lost
    assert [event.seq for event in seen] == [event.seq for event in stored]
    inputs = [e.payload["input_id"] for e in seen if isinstance(e, InputChanged) and e.payload["state"] == "completed"]
    assert len(inputs) == len(set(inputs)) == 4
    assert [str(e.payload["to"]) for e in seen if isinstance(e, StateChanged)].count("active") >= 4
    assert (await asyncio.to_thread(up.stop))[0] == 0


async def allowing(approval: Approval) -> Answer:
    return allow()


async def grown(events: list[Event]) -> None:
    before = len(events)

    async def more() -> bool:
        return len(events) > before

    await eventually(more)
