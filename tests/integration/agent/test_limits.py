"""What a session may take, with the real CLI: its budget, a turn's time and requests; and settings that change while it
runs.
"""

from typing import Any

from jelmore_contract.commands import ConfigureCommand
from tests.support.scripts import ask, bash, say, script
from tests.support.session_rig import Log, MakeRig

BASH = {"allowed_tools": ["Bash"]}
MANY = [bash(f"echo {number} >> out.txt") for number in range(40)]


def ended(log: Log, input_id: str) -> bool:
    return log.input_states(input_id)[-1:] in (["completed"], ["failed"], ["cancelled"]) and log.states()[-1:] == [
        "idle"
    ]


def turns_reported(log: Log) -> int:
    """The report comes behind the events that it follows from."""
    return log.report.usage.turns if log.report is not None else 0


def errors(log: Log) -> list[tuple[str, str]]:
    return [(payload["reason"], payload["message"]) for payload in log.payloads("error")]


async def test_a_turn_ends_at_the_session_s_budget_and_what_waits_runs_once_it_is_raised(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={**BASH, "budget_usd": 0.5})
    first = await rig.input(script(*MANY, say("never")))
    await rig.until(lambda log: ended(log, first) and errors(log) and turns_reported(log) == 1)
    waits = await rig.input(script(bash("echo waited >> waited.txt"), say("now")))
    await rig.until(lambda log: log.input_states(waits) == ["queued"])
    assert rig.log.input_states(first)[-1] == "failed"
    assert [reason for reason, _ in errors(rig.log)] == ["budget"]
    assert "Raise budget.usd" in errors(rig.log)[0][1]
    assert rig.log.report is not None
    spent = rig.log.report.usage.cost_usd
    assert 0.5 <= spent < 0.8  # Claude Code looks after each request
    await rig.send(ConfigureCommand(budget_usd=spent + 0.3))
    await rig.until(lambda log: ended(log, waits))
    assert rig.log.input_states(waits)[-1] == "completed"
    assert (rig.workspace / "waited.txt").read_text() == "waited\n"
    # The next run has counted on from what the conversation took before.
    third = await rig.input(script(*MANY, say("never")))
    await rig.until(lambda log: ended(log, third) and len(errors(log)) == 2 and turns_reported(log) == 3)
    assert spent + 0.3 <= rig.log.report.usage.cost_usd < spent + 0.6


async def test_an_input_that_the_cli_had_taken_before_the_budget_was_used_runs_too(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={**BASH, "budget_usd": 0.01})
    first = await rig.input(script(say("slowly", chars=400, deltas=200, delay_ms=50)))
    await rig.until(lambda log: "started" in log.input_states(first))
    waits = await rig.input(script(bash("echo waited >> waited.txt"), say("now")))
    await rig.until(lambda log: "started" in log.input_states(waits) and log.states()[-1:] == ["idle"])
    assert rig.log.input_states(first)[-1] == "failed"
    assert not (rig.workspace / "waited.txt").exists()
    await rig.send(ConfigureCommand(budget_usd=5.0))
    await rig.until(lambda log: ended(log, waits))
    assert rig.log.input_states(waits) == ["queued", "delivered", "started", "completed"]
    assert (rig.workspace / "waited.txt").read_text() == "waited\n"
    assert [reason for reason, _ in errors(rig.log)] == ["budget"]


async def test_a_turn_that_works_too_long_is_interrupted_and_the_session_goes_on(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={"turn_timeout": 2})
    slow = await rig.input(script(say("slowly", chars=4000, deltas=400, delay_ms=50)))
    await rig.until(lambda log: ended(log, slow))
    assert rig.log.input_states(slow)[-1] == "cancelled"
    assert errors(rig.log) == [("turn_timeout", "The turn worked for 2 s (lifecycle.turnTimeout) and was interrupted.")]
    await rig.send(ConfigureCommand(turn_timeout=600))  # how long a quick one takes is the machine's affair
    second = await rig.input(script(say("quick")))
    await rig.until(lambda log: ended(log, second))
    assert rig.log.input_states(second)[-1] == "completed"


async def test_waiting_for_a_person_is_no_work(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={"turn_timeout": 4, "approval_timeout": 6})
    asked = await rig.input(script(ask("Which?", "A", "B"), say("done")))
    await rig.until(lambda log: ended(log, asked))
    assert rig.log.payloads("approval_resolved")[0]["by"] == "timeout"
    assert errors(rig.log) == []


async def test_a_turn_may_ask_the_model_so_often(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={**BASH, "budget_turns": 2})
    first = await rig.input(script(*MANY, say("never")))
    await rig.until(lambda log: ended(log, first) and errors(log))
    assert errors(rig.log) == [("turn_failed", "Reached maximum number of turns (2)")]
    second = await rig.input(script(say("quick")))
    await rig.until(lambda log: ended(log, second))
    assert rig.log.input_states(second)[-1] == "completed"


def refused(log: Log) -> list[str]:
    return [message for reason, message in errors(log) if reason == "command_refused"]


async def test_settings_reach_the_cli_that_runs_and_those_that_follow(make_rig: MakeRig) -> None:
    rig = await make_rig()

    async def model_and_mode() -> tuple[Any, Any]:
        prompt = await rig.input(script(say("hi")))
        await rig.until(lambda log: ended(log, prompt))
        init = [event.payload for event in rig.log.of("output") if event.payload.get("subtype") == "init"][-1]
        return init["model"], init["permissionMode"]

    default, mode = await model_and_mode()
    assert mode == "acceptEdits"
    await rig.send(ConfigureCommand(model="haiku", permission_mode="plan"))
    model, mode = await model_and_mode()
    assert (model.startswith("claude-haiku"), mode) == (True, "plan")
    rig.kill_cli()
    assert await model_and_mode() == (model, mode)
    await rig.restart_agent()  # its file says the same as before, and what was sent since counts
    assert await model_and_mode() == (model, mode)
    await rig.send(ConfigureCommand(model=None, permission_mode="bypassPermissions"))
    assert await model_and_mode() == (default, "plan")
    assert len(refused(rig.log)) == 1


async def test_an_input_that_waits_for_the_budget_is_kept_through_everything(make_rig: MakeRig) -> None:
    rig = await make_rig(settings={"budget_usd": 0.01})
    first = await rig.input(script(say("one")))
    await rig.until(lambda log: ended(log, first))
    waits = await rig.input(script(say("two")))
    await rig.until(lambda log: log.input_states(waits) == ["queued"])
    await rig.kill_all()
    rig.settings["budget_usd"] = 5.0
    rig.start_agent()
    rig.start_launcher()
    await rig.until(lambda log: ended(log, waits))
    assert rig.log.input_states(waits) == ["queued", "delivered", "started", "completed"]
