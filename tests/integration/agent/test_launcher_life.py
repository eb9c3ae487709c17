"""The launcher's own life: whom it takes for its agent, how it ends, what it costs, what it does on a full disk."""

import asyncio
import importlib.util
import json
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from jelmore_agent.link.events import Disconnected, Disk, Exited, Hello, Refused, Started, Stopping, Written
from jelmore_agent.link.frames import encode
from jelmore_agent.link.launcher_link import LauncherLink
from jelmore_agent.link.unix_socket import connect
from tests.support.launcher import NONCE, LauncherProcess, expect, python, started, until

CAT = ["/bin/cat"]
UNINTERRUPTED = ["/bin/sh", "-c", "trap '' INT; echo ready; exec cat"]


def state(pid: int) -> str:
    return psutil.Process(pid).status()


# The nonce


async def test_a_launcher_with_another_nonce_is_turned_away_and_keeps_trying(
    launcher: LauncherProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    launcher.launch()
    async with launcher.serve(nonce="not its own") as wrong:
        await until(lambda: caplog.text.count("not from this session's launcher") >= 2)
        assert not wrong.connected
    assert NONCE not in caplog.text
    async with launcher.serve() as right:
        assert (await expect(right, Hello)).pid == launcher.pid


@pytest.mark.parametrize(
    "said",
    [
        encode({"type": "hello", "nonce": "guess", "pid": 1, "run": None, "exits": [], "stopping": False}),
        encode({"type": "exited", "run": 1, "code": 0, "signal": None, "stderr": ""}),
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ],
    ids=["wrong nonce", "no hello", "another protocol", "nothing"],
)
async def test_a_stranger_does_not_come_between_agent_and_launcher(
    launcher: LauncherProcess, link: LauncherLink, said: bytes
) -> None:
    launcher.launch()
    await expect(link, Hello)
    with connect(launcher.socket) as stranger:
        stranger.send(said)
        stranger.shutdown(1)
        assert await asyncio.get_running_loop().sock_recv(stranger, 100) == b""
    await started(launcher, link, 1, CAT)


async def test_a_launcher_takes_the_place_of_one_that_still_seems_to_be_there(launcher: LauncherProcess) -> None:
    """Its end and its successor's hello may be seen in either order."""

    def hello(pid: int) -> bytes:
        return encode({"type": "hello", "nonce": NONCE, "pid": pid, "run": None, "exits": [], "stopping": False})

    loop = asyncio.get_running_loop()
    async with launcher.serve() as link:
        with connect(launcher.socket) as earlier, connect(launcher.socket) as later:
            earlier.send(hello(1))
            assert await anext(link) == Hello(NONCE, 1, None, [], False)
            later.send(hello(2))
            earlier.send(encode({"type": "started", "run": 1, "pid": 3}))  # comes too late
            assert await expect(link, Disconnected) == Disconnected()
            assert await anext(link) == Hello(NONCE, 2, None, [], False)
            later.send(encode({"type": "started", "run": 2, "pid": 4}))
            assert await anext(link) == Started(run=2, pid=4)
            assert await loop.sock_recv(earlier, 100) == b""
            link.confirm(9)
            assert b"confirm" in await loop.sock_recv(later, 100)


async def test_the_nonce_may_come_in_a_file(launcher: LauncherProcess, link: LauncherLink) -> None:
    nonce = launcher.folder / "nonce"
    nonce.write_text(NONCE + "\n")
    launcher.launch("--nonce-file", str(nonce), env={"JELMORE_NONCE": "not this"})
    await expect(link, Hello)


async def test_without_a_nonce_it_does_not_start(launcher: LauncherProcess) -> None:
    launcher.launch(env={"JELMORE_NONCE": ""})
    assert await launcher.exit_code() == 1
    assert launcher.log() == ("launcher: no nonce: name a file that holds it with --nonce-file, or set JELMORE_NONCE\n")


# One launcher a session


async def test_a_second_launcher_of_a_session_does_not_start(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    assert launcher.pid_file.read_text() == f"{launcher.pid} {start_time(launcher.pid)}\n"
    second = LauncherProcess(launcher.folder)
    second.launch()
    try:
        assert await second.exit_code() == 1
    finally:
        second.end()
    assert "another launcher of this session is running" in second.log()
    await started(launcher, link, 1, CAT)


def start_time(pid: int) -> int:
    ticks = psutil.Process(pid).create_time() - psutil.boot_time()
    return round(ticks * os.sysconf("SC_CLK_TCK"))


async def test_what_a_killed_launcher_left_is_in_nobodys_way(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    launcher.end()
    assert launcher.pid_file.exists()
    launcher.launch()
    assert (await expect(link, Hello)).pid == launcher.pid


# What Claude's side may do to it


async def test_programs_of_its_own_user_cannot_look_into_it(launcher: LauncherProcess, link: LauncherLink) -> None:
    """Its environment holds the nonce. (Where the tests run as root, without what lets root look.)"""
    powerless = ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    launcher.launch(under=powerless)
    await expect(link, Hello)
    launcher.run_cli(link, 1, ["/bin/cat", f"/proc/{launcher.pid}/environ"])
    exited = await expect(link, Exited)
    assert exited.code == 1
    assert "Permission denied" in exited.stderr
    assert launcher.spool(1).read_bytes() == b""


# Signals


async def test_signals_that_are_not_for_it_do_nothing(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        os.kill(launcher.pid, number)
    await started(launcher, link, 1, CAT)


async def test_sigterm_asks_the_agent_which_ends_the_cli(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 1, UNINTERRUPTED)
    os.kill(launcher.pid, signal.SIGTERM)
    await expect(link, Stopping)
    link.close_stdin(1)
    assert (await expect(link, Exited)).code == 0
    launcher.run_cli(link, 2, CAT)
    assert await expect(link, Refused) == Refused(run=2, message="the launcher is stopping")
    link.confirm(1)
    assert await launcher.exit_code() == 0
    assert not launcher.pid_file.exists()


async def test_sigterm_without_a_cli_ends_it_at_once(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    os.kill(launcher.pid, signal.SIGTERM)
    assert await launcher.exit_code() == 0
    await expect(link, Stopping)
    # By its own clock, which counts whole seconds: what starts and ends a process may take its time here.
    told = {line["event"]: line["timestamp"] for line in map(json.loads, launcher.log().splitlines())}
    took = datetime.fromisoformat(told["leaving"]) - datetime.fromisoformat(told["stopping"])
    assert took < timedelta(seconds=2)


async def test_an_agent_that_comes_after_sigterm_is_told(launcher: LauncherProcess) -> None:
    launcher.launch()
    async with launcher.serve() as first:
        await expect(first, Hello)
        await started(launcher, first, 1, UNINTERRUPTED)
    os.kill(launcher.pid, signal.SIGTERM)
    async with launcher.serve() as second:
        assert (await expect(second, Hello)).stopping
        second.signal(1, signal.SIGTERM)
        await expect(second, Exited)
        second.bye()
        assert await launcher.exit_code() == 0


async def test_an_agent_that_lets_the_grace_pass_is_not_waited_for(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch("--grace", "0.1")
    await expect(link, Hello)
    await started(launcher, link, 1, CAT)
    os.kill(launcher.pid, signal.SIGTERM)
    exited = await expect(link, Exited)
    assert exited.signal == signal.SIGINT
    link.confirm(1)
    assert await launcher.exit_code() == 0


async def test_without_an_agent_it_ends_the_cli_itself(launcher: LauncherProcess) -> None:
    """SIGINT does nothing here; the CLI ends when its stdin is closed, two seconds later."""
    launcher.launch()
    async with launcher.serve() as link:
        await expect(link, Hello)
        cli = psutil.Process(await started(launcher, link, 1, UNINTERRUPTED))
        await until(lambda: launcher.spool(1).read_text())
    os.kill(launcher.pid, signal.SIGTERM)
    assert await launcher.exit_code() == 0
    assert not cli.is_running()
    events = [json.loads(line) for line in launcher.log().splitlines()]
    assert [event["step"] for event in events if "step" in event] == ["interrupt", "close_stdin"]


# As PID 1 of its container

ATTACK = """
import ctypes, os, signal
for number in sorted(signal.valid_signals()):
    os.kill(1, number)
info = (ctypes.c_int * 32)(signal.SIGTERM, 0, -1)  # siginfo_t with si_code SI_QUEUE and a sender of 0
assert ctypes.CDLL(None).syscall(129, 1, signal.SIGTERM, info) == 0  # rt_sigqueueinfo
print("tried", flush=True)
import sys; sys.stdin.read()
"""


@pytest.mark.usefixtures("namespaces")
async def test_as_pid_1_only_a_sigterm_from_outside_of_its_container_ends_it(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch_as_init()
    assert (await expect(link, Hello)).pid == 1
    await started(launcher, link, 1, python(ATTACK))
    await until(lambda: launcher.spool(1).read_text() == "tried\n")
    link.write(1, "a", "x")
    assert await anext(link) == Written(run=1, token="a")  # nothing was said before: it is not stopping
    init = psutil.Process(launcher.pid).children()[0]
    init.terminate()
    await expect(link, Stopping)
    link.close_stdin(1)
    assert (await expect(link, Exited)).code == 0
    link.confirm(1)
    assert await launcher.exit_code() == 0


@pytest.mark.usefixtures("namespaces")
async def test_as_pid_1_it_reaps_what_falls_to_it(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch_as_init()
    await expect(link, Hello)
    await started(launcher, link, 1, ["/bin/sh", "-c", "(sleep 0.05 & sleep 1000 &); echo up; exec cat"])
    await until(lambda: launcher.spool(1).read_text() == "up\n")
    init = psutil.Process(launcher.pid).children()[0]
    await until(lambda: len(init.children()) == 2)
    link.close_stdin(1)
    assert (await expect(link, Exited)).code == 0
    assert init.children() == []


async def test_alone_too_long_it_lets_the_cli_finish_and_leaves(launcher: LauncherProcess) -> None:
    finishing = ["/bin/sh", "-c", "cat; echo the turn is over"]
    async with launcher.serve() as link:
        # Its time alone begins with it: when there is somebody to connect to. The CLI has as long again to finish.
        launcher.launch("--orphan-timeout", "2")
        await expect(link, Hello)
        await started(launcher, link, 1, finishing)
    assert await launcher.exit_code() == 0
    assert launcher.spool(1).read_text() == "the turn is over\n"


async def test_alone_from_the_start_it_leaves(launcher: LauncherProcess) -> None:
    launcher.launch("--orphan-timeout", "0.3")
    assert await launcher.exit_code() == 0


# What it costs


def resident(pid: int) -> int:
    """KiB."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0])


async def test_after_long_lines_it_is_below_16_mib(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 1, CAT)
    for size in range(9, 0, -1):  # MB: a C library keeps memory most easily when each line is shorter than the last
        link.write(1, str(size), "x" * size * 1_000_000)
        await expect(link, Written)
    await until(lambda: resident(launcher.pid) <= 16 * 1024)  # a line is still there when it is said to be written


async def test_it_gives_every_descriptor_back(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    before = psutil.Process(launcher.pid).num_fds()
    for run in range(1, 6):
        await started(launcher, link, run, CAT)
        link.write(run, "a", "line")
        link.signal(run, signal.SIGKILL)
        await expect(link, Exited)
        link.confirm(run)
    link.write(5, "b", "line")
    await expect(link, Refused)  # by now it has dealt with all of the above
    assert psutil.Process(launcher.pid).num_fds() == before


# The disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_the_cli_stands_still_while_its_disk_is_nearly_full(
    launcher: LauncherProcess, link: LauncherLink, small_disk: Path
) -> None:
    launcher.launch("--min-free", str(1 << 20))
    await expect(link, Hello)
    spool = os.open(small_disk / "run-1.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    link.start(1, CAT, {}, "/", spool)
    os.close(spool)
    pid = (await expect(link, Started)).pid
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3 << 20) + b"1")
    assert await expect(link, Disk) == Disk(paused=True)
    await until(lambda: state(pid) == psutil.STATUS_STOPPED)
    filler.unlink()
    assert await expect(link, Disk) == Disk(paused=False)
    await until(lambda: state(pid) == psutil.STATUS_SLEEPING)
    link.write(1, "a", "on we go")
    await until(lambda: (small_disk / "run-1.jsonl").read_text() == "on we go\n")


async def test_a_pause_is_told_to_the_next_agent_and_does_not_keep_the_cli_from_ending(
    launcher: LauncherProcess, small_disk: Path
) -> None:
    launcher.launch("--min-free", str(1 << 20))
    (small_disk / "filler").write_bytes(bytes(3 << 20) + b"1")
    spool = os.open(small_disk / "run-1.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with launcher.serve() as first:
        await expect(first, Hello)
        first.start(1, CAT, {}, "/", spool)
        os.close(spool)
        await expect(first, Disk)
    async with launcher.serve() as second:
        await expect(second, Hello)
        assert await expect(second, Disk) == Disk(paused=True)
    os.kill(launcher.pid, signal.SIGTERM)
    assert await launcher.exit_code() == 0


# The real CLI


@pytest.mark.real_cli
async def test_the_real_cli_initializes_and_ends_when_its_stdin_closes(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch()
    await expect(link, Hello)
    env: dict[str, str | None] = {
        "CLAUDE_CONFIG_DIR": str(launcher.folder / "claude"),
        "ANTHROPIC_API_KEY": "not-a-key",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    argv = [bundled_cli(), "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    launcher.run_cli(link, 1, [*argv, "--setting-sources="], env)
    pid = (await expect(link, Started)).pid
    initialize = {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize"}}
    link.write(1, "initialize", json.dumps(initialize))
    await until(lambda: launcher.spool(1).read_bytes().endswith(b"\n"))
    reply = json.loads(launcher.spool(1).read_bytes().splitlines()[0])
    assert reply["response"]["response"]["pid"] == pid
    link.close_stdin(1)
    assert (await expect(link, Exited)).code == 0


def bundled_cli() -> str:
    package = importlib.util.find_spec("claude_agent_sdk")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).with_name("_bundled") / "claude")
