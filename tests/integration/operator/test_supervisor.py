"""The supervisor with real servers, launchers and agents: sessions come, go, and survive what dies."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from jelmore_contract.agent_config import SESSION_MARK
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import BUCKET, STREAM
from jelmore_local.servers.nats import Nats
from jelmore_operator.process.processes import find_by_environment
from tests.support.claude_cli import cli_path
from tests.support.hanging_git import HangingGit
from tests.support.processes import arguments_of
from tests.support.supervised import LIMIT, Supervised, eventually, supervising, supervisor_process


async def test_a_session_runs_and_is_deleted_without_a_trace_but_its_log(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello")
        status = await supervised.until_turn(key, 1)
        assert {c.type: c.status for c in status.conditions} == {
            "Ready": "True",
            "AgentConnected": "True",
            "WorkspaceReady": "True",
            "CredentialsReady": "True",
            "BusIdentity": "True",
            "Durable": "True",
        }
        assert supervised.folder(key).stat().st_mode & 0o777 == 0o700
        await supervised.delete(key)
        await supervised.until_gone(key)
        assert supervised.processes(key) == []
        assert not supervised.folder(key).exists()
    events = await supervised.events(key)
    assert events[0][0] == "session.created"
    assert events[0][1]["spec"]["query"] == "hello"
    assert [payload["to"] for kind, payload in events if kind == "session.state_changed"] == [
        "active",
        "idle",
        "terminated",
    ]
    assert events[-1] == ("session.terminated", {"reason": "deleted"})
    consumers = await supervised.client.jetstream().consumers_info(STREAM)
    assert key.session_id not in [consumer.name for consumer in consumers]


async def test_what_a_session_is_is_told_again_when_it_changes_and_only_then(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello")
        await supervised.until_turn(key, 1)
        await supervised.label(key, team="a")
        await supervised.descriptions(key, least=1)
    # The next supervisor knows of it by the log alone.
    async with supervising(supervised.settings):
        await supervised.until_state(key, SessionState.HIBERNATED)
        await supervised.suspend(key, True)
        await supervised.descriptions(key, least=2)
        await supervised.label(key)
        await supervised.delete(key)
        await supervised.until_gone(key)
    told = await supervised.descriptions(key)
    assert [(each["generation"], each["spec"]["lifecycle"]["suspend"], each["labels"]) for each in told] == [
        (1, False, {"team": "a"}),
        (2, True, {"team": "a"}),
        (2, True, {}),
    ]
    assert (await supervised.events(key))[-1][0] == "session.terminated"


async def test_a_session_that_is_deleted_at_once_ends_at_once(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello")
        await eventually(lambda: supervised.processes(key))
        begin = time.monotonic()
        await supervised.delete(key)
        await supervised.until_gone(key)
        assert time.monotonic() - begin < 10
        assert supervised.processes(key) == []
    assert (await supervised.events(key))[-1][0] == "session.terminated"


async def test_no_secret_is_on_disk_or_in_an_argument(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        for path in supervised.folder(key).rglob("*"):
            if path.is_file():
                assert b"a-secret" not in path.read_bytes(), path
        for pid in supervised.processes(key):
            assert b"a-secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_an_agent_that_is_killed_comes_back_within_a_second(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        cli, agent = supervised.cli(key), supervised.pid(key, "agent")
        begin = time.monotonic()
        os.kill(agent, signal.SIGKILL)
        await eventually(lambda: supervised.pid(key, "agent") != agent)
        assert time.monotonic() - begin < 1
        await supervised.input(key, "still there?")
        await supervised.until_turn(key, 1)
        assert supervised.cli(key) == cli


async def test_a_launcher_that_is_killed_is_replaced_with_all_that_it_left(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="spawn")
        await supervised.until_state(key, SessionState.IDLE, run=1)
        before = set(supervised.processes(key))
        assert spawned_by_claude(before)
        os.kill(supervised.pid(key, "launcher"), signal.SIGKILL)
        await supervised.until_state(key, SessionState.IDLE, run=2)
        after = set(supervised.processes(key))
        assert {supervised.pid(key, "launcher"), supervised.pid(key, "agent"), supervised.cli(key)} <= after
        assert not before & after
        assert not spawned_by_claude(after)


def spawned_by_claude(pids: set[int]) -> list[int]:
    return [pid for pid in pids if arguments_of(pid) == "sleep 1000 "]


async def test_processes_survive_the_supervisor_and_the_next_one_takes_them_over(
    supervised: Supervised,
) -> None:
    with supervisor_process(supervised.settings) as first:
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        launcher, agent = supervised.pid(key, "launcher"), supervised.pid(key, "agent")
        cli = supervised.cli(key)
        first.kill()
    async with supervising(supervised.settings):
        await eventually(lambda: supervised.pid(key, "agent") != agent)
        assert supervised.pid(key, "launcher") == launcher
        await supervised.input(key, "again")
        await supervised.until_turn(key, 1)
        assert supervised.cli(key) == cli
        assert agent not in supervised.processes(key)


async def test_everything_killed_at_once_goes_on_at_the_next_start(supervised: Supervised) -> None:
    with supervisor_process(supervised.settings) as first:
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        first.kill()
    supervised.kill_all(key)
    async with supervising(supervised.settings):
        await supervised.until_state(key, SessionState.IDLE, run=2)


async def test_stopping_hibernates_and_an_input_wakes(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        busy = await supervised.create(query="sleep")
        idle = await supervised.create()
        await supervised.until_state(busy, SessionState.ACTIVE)
        await supervised.until_state(idle, SessionState.IDLE, run=1)
    for key in (busy, idle):
        assert supervised.processes(key) == []
        assert (await supervised.status(key)).state is SessionState.HIBERNATED
        assert (await supervised.states(key))[-1] == "hibernated"
        assert not list(supervised.folder(key).glob("*.sock"))
        assert not list(supervised.folder(key).glob("*.pid"))
    async with supervising(supervised.settings):
        await supervised.until_state(busy, SessionState.ACTIVE, run=2)  # its input was cut: it goes on
        assert supervised.processes(idle) == []
        await supervised.input(idle, "wake up")
        await supervised.until_state(idle, SessionState.IDLE, run=2)
        assert (await supervised.states(idle))[-4:] == ["hibernated", "pending", "active", "idle"]


async def test_suspended_is_stronger_than_an_input(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        await supervised.suspend(key, True)
        await supervised.until_state(key, SessionState.HIBERNATED)
        assert supervised.processes(key) == []
        await supervised.input(key, "hello?")
        other = await supervised.create()
        await supervised.until_state(other, SessionState.IDLE, run=1)
        assert (await supervised.status(key)).state is SessionState.HIBERNATED
        await supervised.suspend(key, False)
        await supervised.until_state(key, SessionState.IDLE, run=2)


async def test_the_users_own_workspace_is_never_touched(supervised: Supervised, tmp_path: Path) -> None:
    workspace = tmp_path / "mine"
    workspace.mkdir()
    (workspace / "file").write_text("text")
    async with supervising(supervised.settings):
        key = await supervised.create(workspace={"path": str(workspace)})
        await supervised.until_state(key, SessionState.IDLE, run=1)
        await supervised.delete(key)
        await supervised.until_gone(key)
    assert (workspace / "file").read_text() == "text"
    assert not supervised.folder(key).exists()


async def test_a_missing_workspace_fails_until_it_is_there_and_asked_for(
    supervised: Supervised, tmp_path: Path
) -> None:
    workspace = tmp_path / "mine"
    async with supervising(supervised.settings):
        key = await supervised.create(workspace={"path": str(workspace)})
        status = await supervised.until_state(key, SessionState.FAILED)
        assert status.message == (
            f"The workspace {workspace} does not exist: make it. "
            "Then retry the session or send it an input; or delete it."
        )
        workspace.mkdir()
        await supervised.input(key, "now")
        await supervised.until_state(key, SessionState.IDLE, run=1)
    assert (await supervised.states(key))[:2] == ["failed", "pending"]


async def test_processes_without_a_session_are_ended(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        bucket = await supervised.client.jetstream().key_value("jelmore_sessions")
        await bucket.purge(f"{key.namespace}.{key.session_id}.spec")
        await eventually(lambda: supervised.processes(key) == [])


async def test_a_resource_that_is_none_stops_no_other(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        await supervised.put_text("default.a.spec", "{")
        await supervised.put_text("default.b.spec", '{"metadata": {}}')
        await supervised.put_text("default.c.name", '{"sessionId": "x"}')
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)


@pytest.mark.parametrize("part", ["launcher", "agent"])
async def test_a_part_that_dies_while_a_session_is_deleted(supervised: Supervised, part: str) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="sleep")
        await supervised.until_state(key, SessionState.ACTIVE)
        pid = supervised.pid(key, part)
        await supervised.delete(key)
        os.kill(pid, signal.SIGKILL)
        await supervised.until_gone(key)
        assert supervised.processes(key) == []
    assert (await supervised.events(key))[-1][0] == "session.terminated"


async def test_it_starts_before_the_bus_has_anything_and_outlives_it(supervised: Supervised, fresh_nats: Nats) -> None:
    await supervised.client.jetstream().delete_stream(STREAM)
    await supervised.client.jetstream().delete_stream(f"KV_{BUCKET}")
    async with supervising(supervised.settings):
        await supervised.make_streams()
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        await fresh_nats.stop()
        await fresh_nats.restart()
        await supervised.input(key, "are you there?")
        await supervised.until_turn(key, 1)
        other = await supervised.create()
        await supervised.until_state(other, SessionState.IDLE, run=1)


async def test_a_hurried_stop_kills_what_does_not_end(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither limit is to be what ends it, nor to cut what is told of the end on a machine that is slow.
    monkeypatch.setattr("jelmore_operator.process.supervisor._AFTER_LIMIT", LIMIT)
    settings = dataclasses.replace(supervised.settings, shutdown_limit=LIMIT)
    async with supervising(settings) as supervisor:
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        cli = supervised.cli(key)
        assert cli is not None
        os.kill(cli, signal.SIGSTOP)
        begin = time.monotonic()
        supervisor.hurry()
        await supervisor.stop()
        assert time.monotonic() - begin < 10  # its launcher alone would give the CLI 15
    assert supervised.processes(key) == []
    assert (await supervised.status(key)).state is SessionState.HIBERNATED


async def test_stopping_without_the_bus_leaves_no_process(supervised: Supervised, fresh_nats: Nats) -> None:
    settings = dataclasses.replace(supervised.settings, shutdown_limit=1)
    async with supervising(settings):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        await fresh_nats.stop()
    assert supervised.processes(key) == []


async def test_stopping_before_the_bus_was_ever_there(supervised: Supervised, fresh_nats: Nats) -> None:
    with supervisor_process(supervised.settings) as first:
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        first.kill()
    await fresh_nats.stop()
    async with supervising(supervised.settings):
        pass
    assert supervised.processes(key) == []


@pytest.mark.parametrize("how", ["deleted", "without the bus"])
async def test_git_that_hangs_ends_with_its_session(
    supervised: Supervised, fresh_nats: Nats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The agent has the workspace compared beside the session: what does that is no child of the launcher's."""
    git = HangingGit(tmp_path / "bin", monkeypatch)
    async with supervising(dataclasses.replace(supervised.settings, shutdown_limit=1)):
        key = await supervised.create()
        await supervised.until_state(key, SessionState.IDLE, run=1)
        await eventually(lambda: git.pid in supervised.processes(key))
        # So that whoever kills what is left does not miss one that is only about to end with another.
        marked = {each.pid for each in find_by_environment(SESSION_MARK, key.session_id)}
        assert set(supervised.processes(key)) <= marked
        if how == "deleted":
            await supervised.delete(key)
            await supervised.until_gone(key)
            assert supervised.processes(key) == []
        else:
            await fresh_nats.stop()
    assert supervised.processes(key) == []


async def test_ten_sessions_at_once(supervised: Supervised) -> None:
    async with supervising(supervised.settings):
        keys = [await supervised.create(query=str(number)) for number in range(10)]
        for key in keys:
            await supervised.until_turn(key, 1)
        for key in keys:
            await supervised.delete(key)
        for key in keys:
            await supervised.until_gone(key)
            assert supervised.processes(key) == []


@pytest.mark.real_cli
async def test_the_real_cli_resumes_its_conversation_after_a_night(supervised: Supervised, demo_url: str) -> None:
    environment = {"ANTHROPIC_BASE_URL": demo_url, "ANTHROPIC_API_KEY": "demo"}
    settings = dataclasses.replace(supervised.settings, claude=cli_path(), cli_environment=environment)
    async with supervising(settings):
        key = await supervised.create(query="Hello")
        evening = await supervised.until_turn(key, 1)
    async with supervising(settings):
        await supervised.input(key, "Hello again")
        morning = await supervised.until_turn(key, 2)
        assert morning.run == evening.run + 1
        assert morning.claude_session_id == evening.claude_session_id == key.session_id
        await supervised.delete(key)
        await supervised.until_gone(key)
        assert supervised.processes(key) == []
