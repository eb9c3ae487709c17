"""A session's life by its spec: falling asleep and waking, its end, its limits, and what a change of them does."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from jelmore_contract.report import Report
from jelmore_contract.states import InputState, SessionState
from jelmore_contract.subjects import STREAM, SessionKey, report_subject, spec_key
from tests.support.supervised import Supervised, eventually, supervising, supervisor_process


async def report(supervised: Supervised, key: SessionKey) -> Report:
    message = await supervised.client.jetstream().get_last_msg(STREAM, report_subject(key))
    return msgspec.json.decode(message.data or b"", type=Report)


async def input_states(supervised: Supervised, key: SessionKey) -> list[InputState]:
    return [payload["state"] for kind, payload in await supervised.events(key) if kind == "session.input"]


async def test_an_idle_session_falls_asleep_and_an_input_wakes_it(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(key, SessionState.HIBERNATED, run=1)
        await eventually(lambda: supervised.processes(key) == [])
        await supervised.input(key, "again")
        await supervised.until_state(key, SessionState.HIBERNATED, run=2)
    once = ["active", "idle", "hibernated"]
    assert await supervised.states(key) == [*once, "pending", *once]
    assert (await input_states(supervised, key)).count(InputState.COMPLETED) == 2


async def test_one_with_a_task_or_a_turn_stays_awake(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        busy = await supervised.create(query="sleep", lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(busy, SessionState.ACTIVE)
        other = await supervised.create(lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(other, SessionState.HIBERNATED, run=1)
        assert (await supervised.status(busy)).state is SessionState.ACTIVE
        assert supervised.cli(busy) is not None


async def test_an_old_session_is_terminated_for_good(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="sleep")
        await supervised.until_state(key, SessionState.ACTIVE)
        # Only now, since nobody knows how long the start takes: in three seconds at the latest.
        age = datetime.now(UTC) - supervised.seen[key].metadata.creation_timestamp
        limit = f"{int(age.total_seconds()) + 3}s"
        await supervised.change(key, {"lifecycle": {"maxLifetime": limit}})
        status = await supervised.until_state(key, SessionState.TERMINATED)
        assert status.message == (
            f"The session has reached its lifecycle.maxLifetime, {limit}. Its log stays readable; "
            "make another session to go on."
        )
        assert supervised.processes(key) == []
        told = await supervised.events(key)
        assert told[-1] == ("session.terminated", {"reason": "max_lifetime"})
        await supervised.input(key, "are you there?")
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        assert supervised.processes(key) == []
        assert await supervised.value(spec_key(key)) is not None
        await supervised.delete(key)
        await supervised.until_gone(key)
        assert await supervised.events(key) == told


async def test_what_has_ended_is_deleted_after_its_time(supervised: Supervised, tmp_path: Path) -> None:
    async with supervising(supervised.settings):
        old = await supervised.create(lifecycle={"maxLifetime": "1s", "ttlAfterFinished": "1s"})
        failed = await supervised.create(
            workspace={"path": str(tmp_path / "none")}, lifecycle={"ttlAfterFinished": "1s"}
        )
        for key in (old, failed):
            await supervised.until_gone(key)
            assert not supervised.folder(key).exists()
    assert (await supervised.events(old))[-1] == ("session.terminated", {"reason": "max_lifetime"})
    assert (await supervised.events(failed))[-1] == ("session.terminated", {"reason": "deleted"})
    # It was failed for a second only, which is too short to be waited for.
    assert await supervised.states(failed) == ["failed", "terminated"]


async def test_a_failed_session_is_tried_again_when_somebody_asks(supervised: Supervised, tmp_path: Path) -> None:
    workspace = tmp_path / "mine"
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace={"path": str(workspace)})
        await supervised.until_state(key, SessionState.FAILED)
        workspace.mkdir()
        await supervised.retry(key)
        await supervised.until_turn(key, 1)
    assert await supervised.states(key) == ["failed", "pending", "active", "idle", "hibernated"]


async def test_a_session_that_its_agent_gave_up_is_tried_again(supervised: Supervised) -> None:
    cli = supervised.settings.claude
    works = cli.read_text()
    cli.write_text("#!/bin/sh\necho a broken CLI >&2\nexit 3\n")
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello")
        status = await supervised.until_state(key, SessionState.FAILED)
        assert status.message is not None
        assert "a broken CLI" in status.message
        await eventually(lambda: supervised.processes(key) == [])
        cli.write_text(works)
        await supervised.retry(key)
        await supervised.until_turn(key, 1)
    assert (await supervised.states(key))[-5:] == ["failed", "pending", "active", "idle", "hibernated"]
    assert (await input_states(supervised, key)).count(InputState.COMPLETED) == 1


async def test_beyond_its_budget_inputs_wait_until_it_is_raised(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", budget={"usd": 0.1})
        status = await supervised.until(key, lambda status: status.blocked is not None)
        assert status.blocked is not None
        assert status.blocked.reason == "budget"
        assert status.message is not None
        assert "Raise budget.usd" in status.message
        await supervised.input(key, "and then?")

        async def queued() -> bool:
            return (await input_states(supervised, key))[-1:] == [InputState.QUEUED]

        await supervised.until_true(queued)
        assert (await supervised.status(key)).state is SessionState.IDLE
        await supervised.change(key, {"budget": {"usd": 10}})
        status = await supervised.until_turn(key, 2)
        assert (status.blocked, status.message, status.run) == (None, None, 2)


async def test_a_session_without_budget_sleeps_until_it_is_raised(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", budget={"usd": 0.1}, lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(key, SessionState.HIBERNATED, run=1)
        await supervised.input(key, "and then?")
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        status = await supervised.status(key)
        assert status.state is SessionState.HIBERNATED
        assert status.blocked is not None
        await supervised.change(key, {"budget": {"usd": 10}})
        await supervised.until(key, lambda status: status.usage.turns == 2)


async def test_a_change_reaches_a_running_session_without_a_restart(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        pids = (supervised.pid(key, "agent"), supervised.cli(key))
        await supervised.change(key, {"model": "opus", "permissionMode": "plan", "lifecycle": {"turnTimeout": "5m"}})

        async def taken() -> bool:
            live = (await report(supervised, key)).live
            return live is not None and (live.model, live.permission_mode, live.turn_timeout) == ("opus", "plan", 300)

        await supervised.until_true(taken)

        async def answered() -> bool:
            said = [payload for kind, payload in await supervised.events(key) if kind == "session.output"]
            answers = [line["response"]["request_id"] for line in said if line["type"] == "control_response"]
            return {"model", "permission_mode"} <= {request.rpartition("-")[2] for request in answers}

        await supervised.until_true(answered)  # the report of the agent may overtake its events
        assert (supervised.pid(key, "agent"), supervised.cli(key)) == pids


async def test_an_input_that_comes_while_nobody_reconciles_wakes_at_the_next_start(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(key, SessionState.HIBERNATED, run=1)
    await supervised.input(key, "anybody there?")
    with supervisor_process(supervised.settings) as first:
        await eventually(lambda: supervised.processes(key))
        first.kill()  # in the middle of the wake
    async with supervising(supervised.settings):
        await supervised.until(key, lambda status: status.usage.turns == 1)
        await supervised.until_state(key, SessionState.HIBERNATED)
    assert (await input_states(supervised, key)).count(InputState.COMPLETED) == 1
    assert [kind for kind, _ in await supervised.events(key)].count("session.turn_completed") == 1


async def test_a_wake_that_is_killed_in_the_middle_runs_its_input_once(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(lifecycle={"hibernateAfter": "1s"})
        await supervised.until_state(key, SessionState.HIBERNATED, run=1)
        await supervised.input(key, "wake up")
        await eventually(lambda: supervised.processes(key))
        supervised.kill_all(key)
        await supervised.until(key, lambda status: status.usage.turns == 1)
        await supervised.until_state(key, SessionState.HIBERNATED)
    told = [json.dumps(payload) for kind, payload in await supervised.events(key) if kind == "session.turn_completed"]
    assert len(told) == 1
