"""A session's life with the real CLI: what is asked of it, what its log tells, and what happens when parts of it are
killed.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jelmore_contract.commands import ConfigureCommand, InterruptCommand
from jelmore_contract.states import Decision
from tests.support.gate import Gate
from tests.support.scripts import agent as subagent
from tests.support.scripts import ask, bash, plan, say, script, write
from tests.support.session_rig import Log, MakeRig, Rig, outputs

BASH = {"allowed_tools": ["Bash"]}
#: A command that acceptEdits does not let pass.
ASKS = """python3 -c 'open("count.txt", "a").write("x")'"""
#: A turn with it ends when the test makes that file.
UNTIL_GO = "until [ -e go ]; do sleep 0.05; done"


def rests(log: Log) -> bool:
    return log.states()[-1:] == ["idle"]


def done(input_id: str) -> Callable[[Log], bool]:
    return lambda log: log.input_states(input_id)[-1:] == ["completed"] and rests(log)


def asks(times: int) -> Callable[[Log], bool]:
    return lambda log: len(log.of("approval_requested")) == times and log.states()[-1] == "waiting_input"


def reports_waiting_for(kind: str, log: Log) -> bool:
    """The report comes behind the events that it follows from."""
    return log.report is not None and log.report.waiting_for is not None and log.report.waiting_for.kind == kind


def count_of(path: Path) -> int:
    return path.read_text().count("x") if path.exists() else 0


async def assert_log_is_the_spool(rig: Rig) -> None:
    """Every line of every run, in order, and nothing else; ids once each."""
    await rig.until(lambda log: len(log.of("output")) >= len(rig.spool_lines()))
    assert rig.log.lines() == rig.spool_lines()
    ids = [event.id for event in rig.log.events]
    assert len(ids) == len(set(ids))


async def test_a_turn(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    steps = [write("a.txt", "hello\n"), bash("mkdir sub && cd sub && echo x > b.txt"), say("All done.")]
    await rig.until(rests)
    prompt = await rig.input(script(*steps))
    await rig.until(done(prompt))
    assert rig.log.input_states(prompt) == ["queued", "delivered", "started", "completed"]
    assert rig.log.states() == ["idle", "active", "idle"]
    turn = rig.log.payloads("turn_completed")[0]
    assert (turn["turn"], turn["is_error"], turn["result"]) == (1, False, "All done.")
    assert turn["input_ids"] == [prompt]
    directories = [moved["to"] for moved in rig.log.payloads("directory_changed")]
    assert directories == [str(rig.workspace), str(rig.workspace / "sub")]
    assert await rig.stop() == 0
    await assert_log_is_the_spool(rig)
    await rig.until(lambda log: log.report is not None and log.report.drained)


async def test_what_a_turn_changed_is_told_before_its_end(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    prompt = await rig.input(script(bash("echo x > last.txt"), say("Done.")))
    await rig.until(done(prompt))
    kinds = [event.type for event in rig.log.events]
    assert kinds.index("file_modified") < kinds.index("turn_completed")
    assert rig.log.payloads("file_modified")[0]["turn"] == 1


async def test_the_resource_s_query_is_the_first_input(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={"query": script(say("Hi there."))})
    await rig.until(rests)
    await rig.until(lambda log: log.payloads("turn_completed"))
    assert rig.log.payloads("turn_completed")[0]["result"] == "Hi there."
    assert rig.log.states() == ["active", "idle"]  # never idle before it


async def test_a_subagent_does_not_make_the_state_flicker(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    await rig.until(rests)
    prompt = await rig.input(
        script(subagent(script(bash("echo from the helper"), say("helped"))), say("started a helper"))
    )
    await rig.until(lambda log: len(log.of("turn_completed")) == 2)
    await rig.until(done(prompt))
    assert rig.log.states() == ["idle", "active", "idle"]


async def test_approvals_questions_and_plans_wait_for_their_answer(make_rig: MakeRig) -> None:
    rig = await make_rig()
    prompt = await rig.input(script(bash(ASKS), ask("Which colour?", "Red", "Blue"), *plan("# Plan"), say("ok")))
    for number, (kind, more) in enumerate(
        [("approval", {}), ("question", {"answers": {"Which colour?": "Blue"}}), ("plan", {})]
    ):
        await rig.until(asks(number + 1))
        asked = rig.log.payloads("approval_requested")[number]
        assert asked["kind"] == kind
        assert rig.log.payloads("state_changed")[-1]["waiting_for"] == kind
        await rig.until(partial(reports_waiting_for, kind))
        await rig.answer(asked["approval_id"], Decision.ALLOW, **more)
    await rig.until(done(prompt))
    resolved = rig.log.payloads("approval_resolved")
    assert [(r["decision"], r["by"]) for r in resolved] == [("allow", "user")] * 3
    assert count_of(rig.workspace / "count.txt") == 1
    assert "Blue" in "".join(line.decode() for line in rig.log.lines() if b"tool_result" in line)


async def test_nobody_answers(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={"approval_timeout": 1})
    prompt = await rig.input(script(bash(ASKS), say("then not")))
    await rig.until(done(prompt))
    assert [(r["decision"], r["by"]) for r in rig.log.payloads("approval_resolved")] == [("deny", "timeout")]
    assert count_of(rig.workspace / "count.txt") == 0


async def test_interrupt_and_configure(make_rig: MakeRig) -> None:
    rig = await make_rig()
    prompt = await rig.input(script(say("slowly", chars=4000, deltas=400, delay_ms=50)))
    await rig.until(lambda log: "started" in log.input_states(prompt))
    await rig.send(InterruptCommand())
    await rig.until(rests)
    assert rig.log.input_states(prompt)[-1] == "cancelled"
    await rig.send(ConfigureCommand(model="haiku"))
    second = await rig.input(script(say("again")))
    await rig.until(done(second))
    init = [line for line in rig.log.lines() if b'"subtype":"init"' in line][-1]
    assert b'"model":"claude-haiku' in init


async def test_a_second_input_while_claude_works(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    first = await rig.input(script(bash("echo x >> count.txt; sleep 1"), say("one")))
    await rig.until(lambda log: "started" in log.input_states(first))
    second = await rig.input("And this too, please.")
    again = await rig.input("And this too, please.", second)
    assert again == second
    await rig.until(lambda log: "completed" in log.input_states(second))
    await rig.until(done(first))
    assert rig.log.input_states(second) == ["queued", "delivered", "started", "completed"]
    assert count_of(rig.workspace / "count.txt") == 1


async def test_the_agent_is_killed_in_the_middle_of_streaming(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    await rig.until(rests)
    prompt = await rig.input(
        script(*[bash(f"echo {n}") for n in range(12)], say("long", chars=2000, deltas=100, delay_ms=10))
    )
    for lines in (6, 12, 20):
        await rig.until(outputs(lines + 1))
        await rig.restart_agent()
    await rig.until(done(prompt))
    assert rig.log.states() == ["idle", "active", "idle"]
    await rig.stop()
    await assert_log_is_the_spool(rig)


async def test_the_agent_is_killed_while_an_approval_is_open(make_rig: MakeRig) -> None:
    rig = await make_rig()
    await rig.until(rests)
    prompt = await rig.input(script(bash(ASKS), say("ok")))
    await rig.until(lambda log: log.states()[-1:] == ["waiting_input"])
    await rig.kill_agent()
    await rig.answer(rig.log.payloads("approval_requested")[0]["approval_id"], Decision.ALLOW)
    rig.start_agent()
    await rig.until(done(prompt))
    assert rig.log.states() == ["idle", "active", "waiting_input", "active", "idle"]
    assert count_of(rig.workspace / "count.txt") == 1
    await assert_log_is_the_spool(rig)


async def test_the_cli_is_killed_in_a_turn_and_goes_on(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    await rig.until(rests)
    before = await rig.input(script(say("remember me")))
    await rig.until(done(before))
    prompt = await rig.input(script(bash(f"echo x >> count.txt; {UNTIL_GO}"), say("finished")))
    await rig.until(lambda log: count_of(rig.workspace / "count.txt") == 1)
    rig.kill_cli()
    (rig.workspace / "go").touch()
    await rig.until(lambda log: "completed" in log.input_states(prompt) and rests(log))
    assert rig.log.payloads("error")[0]["reason"] == "interrupted"
    # The resumed CLI may say that it works before it answers `initialize`.
    states = rig.log.states()
    assert states[:5] == ["idle", "active", "idle", "active", "pending"]
    assert states[-2:] == ["active", "idle"]
    assert rig.log.input_states(prompt).count("completed") == 1
    assert len({line for line in rig.log.lines() if b'"subtype":"init"' in line}) >= 2
    await assert_log_is_the_spool(rig)


async def test_an_input_runs_once_when_the_cli_is_killed_while_it_is_queued(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    first = await rig.input(script(say("slow", chars=3000, deltas=300, delay_ms=20)))
    await rig.until(lambda log: "started" in log.input_states(first))
    second = await rig.input(script(bash("echo x >> count.txt"), say("second")))
    await rig.until(lambda log: "delivered" in log.input_states(second))
    rig.kill_cli()
    await rig.until(lambda log: "completed" in log.input_states(second) and "completed" in log.input_states(first))
    await rig.until(rests)
    assert count_of(rig.workspace / "count.txt") == 1


async def test_an_input_runs_once_when_the_cli_is_killed_right_after_it_was_written(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    await rig.until(rests)
    prompt = await rig.input(script(bash("echo x >> count.txt"), say("ok")))
    await rig.until(lambda log: "delivered" in log.input_states(prompt))
    rig.kill_cli()
    await rig.until(lambda log: "completed" in log.input_states(prompt) and rests(log))
    assert count_of(rig.workspace / "count.txt") == 1


async def test_launcher_and_agent_are_killed(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    prompt = await rig.input(script(bash("echo x >> count.txt; sleep 2"), say("finished")))
    await rig.until(lambda log: count_of(rig.workspace / "count.txt") == 1)
    await rig.kill_all()
    rig.start_agent()
    rig.start_launcher()
    await rig.until(lambda log: "completed" in log.input_states(prompt) and rests(log))
    await assert_log_is_the_spool(rig)


async def test_a_session_stopped_in_a_turn_goes_on_when_it_is_started_again(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    prompt = await rig.input(script(bash(f"echo x >> count.txt; {UNTIL_GO}"), say("finished")))
    await rig.until(lambda log: count_of(rig.workspace / "count.txt") == 1)
    assert await rig.stop() == 0
    assert "completed" not in rig.log.input_states(prompt)
    (rig.workspace / "go").touch()
    rig.start_agent()
    rig.start_launcher()
    await rig.until(lambda log: "completed" in log.input_states(prompt) and rests(log))
    await rig.stop()
    await assert_log_is_the_spool(rig)


async def test_an_agent_that_is_to_drain_publishes_what_is_on_disk_before_it_ends(make_rig: MakeRig) -> None:
    """As in a pod, whose sidecar gets SIGTERM last. The session is not ended by it: the next agent goes on."""
    seed = await make_rig(start=False)
    async with Gate(seed.nats_url) as gate:
        rig = await make_rig(settings=BASH, nats_url=gate.url)
        await rig.until(rests)
        await rig.kill_agent()
        rig.start_agent("--drain")
        prompt = await rig.input(script(bash(f"echo x > count.txt; {UNTIL_GO}"), say("over")))
        await rig.until(lambda log: "started" in log.input_states(prompt))
        await gate.shut()
        (rig.workspace / "go").touch()
        assert rig.agent is not None
        await rig.until(lambda log: any(b'"type":"result"' in line for line in rig.spool_lines()))
        rig.agent.terminate()
        (rig.workspace / "last.txt").touch()
        assert rig.agent.poll() is None
        assert len(rig.log.of("output")) < len(rig.spool_lines())
        await gate.open()
        assert await asyncio.to_thread(rig.agent.wait, 30) == 0
        await assert_log_is_the_spool(rig)
        assert rig.log.report is not None
        assert not rig.log.report.drained
        rig.start_agent("--drain")
        second = await rig.input(script(say("on we go")))
        await rig.until(done(second))
        assert rig.log.input_states(prompt)[-1] == "completed"
        assert await rig.stop() == 0


async def test_a_command_that_is_none_is_refused_and_does_no_harm(make_rig: MakeRig) -> None:
    rig = await make_rig()
    subject = f"jelmore.command.default.{rig.key.session_id}"
    for kind, body in (("input", b"\xff"), ("input", b"{}"), ("nonsense", b"{}"), ("answer", b"[]"), ("input", b"")):
        await rig.client.jetstream().publish(f"{subject}.{kind}", body)
    prompt = await rig.input(script(say("still here")))
    await rig.until(done(prompt))
    assert [error["reason"] for error in rig.log.payloads("error")] == ["command_refused"] * 5
