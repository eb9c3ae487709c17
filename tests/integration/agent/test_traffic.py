"""Real traffic against the AsyncAPI document: everything that a session's bus carries, by the real CLI."""

import json
import sys
from pathlib import Path

from jelmore_contract.commands import ConfigureCommand, InterruptCommand
from jelmore_contract.states import Decision
from tests.integration.agent.test_session import done, rests
from tests.support.asyncapi import Judge
from tests.support.flush import flush
from tests.support.printing_cli import printing_cli
from tests.support.scripts import ask, bash, error, plan, say, script, write
from tests.support.session_rig import Log, MakeRig, Rig, outputs

GIT = "git init -q . && git add -A && git commit -q -m work && git checkout -q -b side && mv a.txt b.txt"


async def test_a_rich_life_is_what_the_document_says(make_rig: MakeRig, judge: Judge) -> None:
    rig = await make_rig(start=False, settings={"partial_messages": True, "allowed_tools": ["Bash(seq:*)"]})
    await judge.listen(rig.client)
    await rig.start()
    steps = [
        write("a.txt", "hello\n"),
        bash(f"{GIT} && mkdir sub && cd sub"),
        ask("Which?", "Red", "Blue"),
        say("Done."),
    ]
    await finished(rig, await rig.input(script(*steps)))
    slow = await rig.input(script(say("slowly", chars=6000, deltas=600, delay_ms=50)))
    await rig.until(lambda log: log.input_states(slow)[-1:] == ["started"])
    await rig.send(InterruptCommand())
    await rig.until(lambda log: len(log.of("turn_completed")) == 2 and rests(log))
    await rig.send(ConfigureCommand(model="sonnet"))
    wrong = await rig.input(script(bash("seq 9000"), error(400)))
    await rig.until(lambda log: log.input_states(wrong)[-1:] == ["failed"] and rests(log))
    rig.kill_cli()
    last = await rig.input(script(*plan("A plan."), say("Planned.")))
    await rig.until(lambda log: [asked["kind"] for asked in log.payloads("approval_requested")][-1] == "plan")
    await rig.answer(ids(rig.log)[-1], Decision.DENY, message="No.")
    await rig.until(done(last))
    assert await rig.stop() == 0
    await flush(rig.client)
    assert judge.faults == []
    others = {"sessionCreated", "sessionSpecChanged", "sessionTerminated", "sessionQuota"}
    assert set(judge.seen) == set(judge.channels) - others - {"deadLetters", "blob"}


async def finished(rig: Rig, prompt: str) -> None:
    """Allows whatever is asked until the input is done."""
    answered: set[str] = set()
    while True:
        await rig.until(lambda log: done(prompt)(log) or set(ids(log)) - answered)
        if done(prompt)(rig.log):
            return
        for asked in set(ids(rig.log)) - answered:
            await rig.answer(asked, Decision.ALLOW, answers={"Which?": "Blue"})
            answered.add(asked)


def ids(log: Log) -> list[str]:
    return [asked["approval_id"] for asked in log.payloads("approval_requested")]


async def test_so_are_lines_that_are_broken_huge_or_of_a_limit(make_rig: MakeRig, judge: Judge, tmp_path: Path) -> None:
    limits = [{"status": "rejected", "resetsAt": 1_754_481_600}, {"status": "allowed"}, {"status": 5, "resetsAt": "x"}]
    lines = [
        b'{"text":"\xff"}',
        b"no JSON",
        b"17",
        b'{"text":"' + b"x" * 1_300_000 + b'"}',
        b"\xfe" * 900_000,
        *(json.dumps({"type": "rate_limit_event", "rate_limit_info": limit}).encode() for limit in limits),
    ]
    printed = tmp_path / "lines"
    printed.write_bytes(b"\n".join(lines) + b"\n")
    rig = await make_rig(start=False, claude=printing_cli(tmp_path / "claude", sys.executable))
    await judge.listen(rig.client)
    await rig.start()
    await rig.input(str(printed))
    await rig.until(outputs(1 + len(lines)))
    await rig.until(lambda log: len(log.of("quota")) == 3)
    assert judge.faults == []
    assert {"blob", "sessionQuota"} <= set(judge.seen)
    assert [told["resets_at"] for told in rig.log.payloads("quota")] == ["2025-08-06T12:00:00.000Z", None, None]
