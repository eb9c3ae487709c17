"""Random commands on the bus, as the AsyncAPI document says and as it does not, to a session that goes on.

The same number gives the same commands: JELMORE_FUZZ_SEED=… repeats a failure.
"""

import json
import os
import random
import time
from dataclasses import dataclass, field
from typing import Any

from jelmore_contract.commands import CommandKind, decode_command
from jelmore_contract.subjects import SessionKey, command_subject
from tests.support.asyncapi import Judge
from tests.support.bus_world import BusWorld, WatchedSession
from tests.support.fuzzing import any_valid_command, changed_command, draw

COMMANDS = 100
LIMIT_S = 30.0  # for all of them


@dataclass
class Sent:
    """What was sent, by what is to become of it."""

    inputs: set[str] = field(default_factory=set)
    answers: int = 0  # to nothing that was asked
    refused: int = 0

    def add(self, key: SessionKey, kind: str, body: bytes) -> None:
        try:
            envelope, command = decode_command(kind, body)
        except ValueError:
            self.refused += 1
            return
        if envelope.session_id != key.session_id:
            self.refused += 1
        elif kind == CommandKind.INPUT:
            self.inputs.add(getattr(command, "input_id"))  # noqa: B009 - by its kind it has one
        elif kind == CommandKind.ANSWER:
            self.answers += 1


def errors(session: WatchedSession) -> list[str]:
    return [told["message"] for told in session.payloads("error") if told["reason"] == "command_refused"]


async def test_random_commands_act_or_are_refused_and_nothing_stops(bus_world: BusWorld, judge: Judge) -> None:
    number = int(os.environ.get("JELMORE_FUZZ_SEED", random.randrange(2**32)))
    print(f"JELMORE_FUZZ_SEED={number}")
    session = await bus_world.session()
    key, sent = session.key, Sent()
    commands = draw(any_valid_command(key.session_id), COMMANDS // 2, number)
    commands += draw(changed_command(key.session_id), COMMANDS // 2, number)
    random.Random(number).shuffle(commands)
    until, count = time.monotonic() + LIMIT_S, 0
    for kind, body in commands:
        if time.monotonic() > until:
            break
        count += 1
        sent.add(key, kind, body)
        await bus_world.publish_raw(command_subject(key, kind).encode(), body)
        # One after the other, so that what kills an agent is found where it is.
        await session.until(lambda: len(errors(session)) >= sent.refused + sent.answers)
    print(f"{count} commands: {len(sent.inputs)} inputs, {sent.answers} answers, {sent.refused} refused")
    for input_id in sent.inputs:
        await session.until(lambda of=input_id: session.input_states(of)[-1:] == ["completed"])
        assert session.input_states(input_id) == ["queued", "delivered", "started", "completed"]
    await session.runs_an_input()
    await session.until(lambda: session.states()[-1] == "idle")
    assert len(errors(session)) == sent.refused + sent.answers
    turns = [told["input_ids"] for told in session.payloads("turn_completed") if "input_ids" in told]
    assert len(session.payloads("turn_completed")) == len(sent.inputs) + 1
    assert turns == []  # the stand-in names none

    await bus_world.persisted()
    mirrored = await all_events(bus_world, key)
    assert mirrored == session.events
    assert [judge.fault_of("StreamEvent", event) for event in mirrored if judge.fault_of("StreamEvent", event)] == []
    dead = await bus_world.rows("SELECT data FROM dead_letters")
    assert len(dead) == sent.refused
    states = await bus_world.rows("SELECT state, count(*) FROM inputs GROUP BY state")
    assert [tuple(row) for row in states] == [("completed", len(sent.inputs) + 1)]
    other = await bus_world.session(query="another")
    await other.runs_an_input()


async def all_events(world: BusWorld, key: SessionKey) -> list[dict[str, Any]]:
    """By REST."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        answer = await world.api.http.get(f"/api/v1/session/{key.session_id}/events?limit=1000&after={after}")
        items = json.loads(answer.raise_for_status().text)["items"]
        if not items:
            return found
        found += items
