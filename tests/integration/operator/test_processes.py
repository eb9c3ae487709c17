"""Processes that outlive their parent: real ones, started, found again, watched, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jelmore_operator.process.processes import (
    Identity,
    Process,
    find_by_argument,
    find_by_environment,
    identify,
    kill_all,
    spawn,
)

LIMIT = 10


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


async def test_a_child_is_seen_to_end_and_leaves_no_zombie(tmp_path: Path) -> None:
    ends: list[int] = []
    command = [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid(), os.read(0, 1))"]
    identity = spawn(command, {}, tmp_path / "log")
    process = Process.attach(identity, lambda: ends.append(1))
    if process is not None:  # it may have been faster
        await asyncio.wait_for(process.wait(), LIMIT)
        assert ends == [1]
        assert not process.alive
    assert (tmp_path / "log").read_text() == "True b''\n"
    assert not Path(f"/proc/{identity.pid}").exists()


async def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["/no/such/program"], {}, tmp_path / "log")


async def test_a_stranger_is_watched_and_ended(tmp_path: Path) -> None:
    """A grandchild whose parent is gone is nobody's child here."""
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '1000'], stdout=sys.stderr).pid)"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    pid = int((await parent.communicate())[0])
    identity = identify(pid)
    assert identity is not None
    process = Process.attach(identity, lambda: None)
    assert process is not None
    assert process.alive
    process.send(signal.SIGTERM)
    await asyncio.wait_for(process.wait(), LIMIT)
    process.send(signal.SIGTERM)  # changes nothing


async def test_a_number_that_belongs_to_another_process_now_is_not_taken(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None
    assert Process.attach(Identity(identity.pid, identity.started - 1), lambda: None) is None
    assert kill_all(iter([Identity(identity.pid, identity.started - 1)])) == 0
    assert sleeper.poll() is None


async def test_a_process_that_ended_is_none(tmp_path: Path) -> None:
    identity = spawn([sys.executable, "-c", ""], {}, tmp_path / "log")
    await asyncio.to_thread(os.waitid, os.P_PID, identity.pid, os.WEXITED | os.WNOWAIT)
    assert identify(identity.pid) is None
    assert Process.attach(identity, lambda: None) is None
    assert not Path(f"/proc/{identity.pid}").exists()


async def test_detached_it_goes_on_unwatched(sleeper: "subprocess.Popen[bytes]") -> None:
    ends: list[int] = []
    identity = identify(sleeper.pid)
    assert identity is not None
    process = Process.attach(identity, lambda: ends.append(1))
    assert process is not None
    process.detach()
    process.send(signal.SIGKILL)
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()
    await asyncio.sleep(0)
    assert ends == []


async def test_found_by_argument_and_by_environment(tmp_path: Path) -> None:
    name, value = "JELMORE_TEST_MARK", str(tmp_path)
    argument = f"{tmp_path}/agent.json"
    code = "import signal; signal.pause()"
    identity = spawn([sys.executable, "-c", code, argument], {name: value}, tmp_path / "log")
    process = Process.attach(identity, lambda: None)
    assert process is not None
    assert list(find_by_argument(argument)) == [(identity, argument)]
    assert list(find_by_environment(name, value)) == [identity]
    assert list(find_by_environment(name, value[:-1])) == []
    assert kill_all(find_by_environment(name, value)) == 1
    await asyncio.wait_for(process.wait(), LIMIT)
    assert list(find_by_environment(name, value)) == []
