"""The launcher as a process, with stand-ins for the CLI: what it owes to the CLI, and to agents that come and go."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jelmore_agent.link.events import (
    Disconnected,
    Exited,
    Hello,
    Refused,
    RunningCli,
    Written,
)
from jelmore_agent.link.launcher_link import LauncherLink
from tests.support.launcher import NONCE, LauncherProcess, expect, python, started, until

CAT = ["/bin/cat"]
DEAF = ["/bin/sleep", "1000"]  # never reads its stdin
STUBBORN = ["/bin/sh", "-c", "trap '' INT TERM; echo ready; while :; do sleep 1; done"]


# The CLI's life


async def test_a_run_from_start_to_confirmed_exit(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    hello = await expect(link, Hello)
    assert (hello.pid, hello.run, hello.exits, hello.stopping) == (launcher.pid, None, [], False)

    pid = await started(launcher, link, 1, CAT)
    link.write(1, "a", '{"text": "é"}')
    link.write(1, "b", b"second")
    link.close_stdin(1)
    assert await expect(link, Written) == Written(run=1, token="a")
    assert await expect(link, Written) == Written(run=1, token="b")
    assert await expect(link, Exited) == Exited(run=1, code=0, signal=None, stderr="")
    assert launcher.spool(1).read_text() == '{"text": "é"}\nsecond\n'
    assert not psutil.pid_exists(pid)

    link.confirm(1)
    await started(launcher, link, 2, CAT)
    async with asyncio.timeout(10):
        link.bye()
        link.close_stdin(2)
        assert await launcher.exit_code() == 0
    assert not launcher.pid_file.exists()


async def test_a_killed_cli_is_reported_with_its_signal_and_the_end_of_its_stderr(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch()
    await expect(link, Hello)
    pid = await started(
        launcher,
        link,
        1,
        python("import os, time; os.write(2, b'x' * 10_000 + b'end'); print(1, flush=True); time.sleep(999)"),
    )
    await until(lambda: launcher.spool(1).read_bytes())
    os.kill(pid, signal.SIGKILL)
    exited = await expect(link, Exited)
    assert (exited.run, exited.code, exited.signal) == (1, None, 9)
    assert exited.stderr == "x" * (8 * 1024 - 3) + "end"
    assert "xend" not in launcher.log()


async def test_signals_reach_the_cli(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    for run, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGKILL), start=1):
        await started(launcher, link, run, CAT)
        link.signal(run, number)
        assert await expect(link, Exited) == Exited(run=run, code=None, signal=number, stderr="")


async def test_what_the_cli_left_behind_is_killed_before_its_end_is_reported(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    """As the CLI's Bash does it: sessions of their own, and a daemon below them."""
    launcher.launch()
    await expect(link, Hello)
    pid = await started(
        launcher,
        link,
        1,
        ["/bin/sh", "-c", "setsid sh -c 'sleep 1000 & (sleep 1001 &) ; echo up; wait' & sleep 1002"],
    )
    await until(lambda: launcher.spool(1).read_text() == "up\n")
    own = psutil.Process(launcher.pid)
    await until(lambda: len(own.children(recursive=True)) == 5)  # the shell may start its last one behind the `up`
    family = own.children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    await expect(link, Exited)
    assert psutil.Process(launcher.pid).children(recursive=True) == []
    assert not [member for member in family if member.is_running()]


async def test_orphans_of_a_live_cli_are_reaped_and_let_be(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 1, ["/bin/sh", "-c", "(sleep 0.05 & sleep 1000 &); echo up; exec cat"])
    await until(lambda: launcher.spool(1).read_text() == "up\n")
    children = psutil.Process(launcher.pid).children
    await until(lambda: len(children()) == 2)  # the CLI and the orphan that still works; no zombie
    link.write(1, "a", "still there")
    await until(lambda: "still there" in launcher.spool(1).read_text())
    assert len(children()) == 2


async def test_a_killed_launcher_takes_its_cli_along(launcher: LauncherProcess, link: LauncherLink) -> None:
    """Another launcher's run would resume the same transcript, and the CLI has no lock."""
    launcher.launch()
    await expect(link, Hello)
    cli = psutil.Process(await started(launcher, link, 1, STUBBORN))
    await until(lambda: launcher.spool(1).read_text())
    children = cli.children()
    os.kill(launcher.pid, signal.SIGKILL)
    await expect(link, Disconnected)
    await until(lambda: not cli.is_running() or cli.status() == psutil.STATUS_ZOMBIE)
    for child in children:
        with suppress(psutil.NoSuchProcess):  # it sleeps for a second only
            child.kill()


# What the CLI inherits

TELL = """
import json, os
status = dict(line.split(":\t", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
    "env": dict(os.environ),
    "cwd": os.getcwd(),
    "leads": os.getsid(0) == os.getpid() == os.getpgrp(),
}), flush=True)
"""


async def test_what_the_cli_inherits(launcher: LauncherProcess, link: LauncherLink, tmp_path: Path) -> None:
    with (tmp_path / "other").open("w") as other:
        launcher.launch(env={"JELMORE_OTHER": "x", "TOKEN": "t", "GONE": "g"}, inherit=(other.fileno(),))
    await expect(link, Hello)
    launcher.run_cli(link, 1, python(TELL), {"MORE": "é", "GONE": None, "TOKEN": "u"})
    assert (await expect(link, Exited)).code == 0
    told = json.loads(launcher.spool(1).read_text())
    assert told["fds"] == [0, 1, 2]
    assert (told["env"]["MORE"], told["env"]["TOKEN"]) == ("é", "u")
    assert told["env"]["PATH"] == os.environ["PATH"]
    assert not [name for name in told["env"] if name.startswith("JELMORE_") or name == "GONE"]
    assert told["cwd"] == str(tmp_path)
    assert told["leads"] is True


async def test_the_cli_starts_with_no_signal_blocked_or_ignored(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    launcher.run_cli(link, 1, ["/bin/cat", "/proc/self/status"])
    await expect(link, Exited)
    status = dict(line.split(":\t", 1) for line in launcher.spool(1).read_text().splitlines())
    assert int(status["SigBlk"], 16) == 0
    # Signals 32 and 33 are the C library's own, which nothing can set back where a machine's parents ignore them.
    assert int(status["SigIgn"], 16) & ~(0b11 << 31) == 0


# Starts that are refused


async def test_a_second_start_is_refused_while_one_is_alive_and_a_number_is_used_once(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 5, CAT)
    launcher.run_cli(link, 6, CAT)
    assert await expect(link, Refused) == Refused(run=6, message="run 5 is still alive")
    link.close_stdin(5)
    await expect(link, Exited)
    launcher.run_cli(link, 5, CAT)
    refused = await expect(link, Refused)
    assert refused.message == "run 5 was started before: a new run needs a higher number"
    await started(launcher, link, 6, CAT)


@pytest.mark.parametrize(
    ("argv", "env", "message"),
    [
        (["/nowhere/claude"], {}, "No such file or directory: b'/nowhere/claude'"),
        (["/bin"], {}, "Permission denied: b'/bin'"),
        (["/bin/cat", "a\0b"], {}, "embedded null byte"),
        (["/bin/cat", "\ud800"], {}, "surrogates not allowed"),
        (["/bin/cat"], {"A=B": "c"}, "illegal environment variable name"),
        (["/bin/cat"], {"A": "\ud800"}, "surrogates not allowed"),
    ],
)
async def test_what_cannot_be_executed_is_refused_and_costs_no_number(
    launcher: LauncherProcess, link: LauncherLink, argv: list[str], env: dict[str, str | None], message: str
) -> None:
    launcher.launch()
    await expect(link, Hello)
    before = psutil.Process(launcher.pid).num_fds()
    launcher.run_cli(link, 1, argv, env)
    refused = await expect(link, Refused)
    assert refused.run == 1
    assert refused.message.endswith(message)
    assert psutil.Process(launcher.pid).num_fds() == before
    await started(launcher, link, 1, CAT)


async def test_a_spool_that_is_not_append_only_is_refused(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    with launcher.spool(1).open("wb") as spool:
        link.start(1, CAT, {}, "/", spool.fileno())
    refused = await expect(link, Refused)
    assert refused.message == "the spool's descriptor is not open for appending"


# Lines


async def test_a_line_far_above_the_pipes_size_arrives_whole_and_in_order(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 1, CAT)
    long = "y" * 5_000_000
    for token, line in enumerate(["first", long, "last"]):
        link.write(1, str(token), line)
    link.close_stdin(1)
    await expect(link, Exited)
    assert launcher.spool(1).read_text() == f"first\n{long}\nlast\n"


async def test_a_cli_that_does_not_read_blocks_nobody_and_is_not_fed_without_end(
    launcher: LauncherProcess, link: LauncherLink
) -> None:
    launcher.launch()
    await expect(link, Hello)
    await started(launcher, link, 1, DEAF)
    for token in range(8):
        link.write(1, str(token), "z" * 9_000_000)
    refused = await expect(link, Refused)
    assert refused.token == "7"
    assert refused.message.startswith("the CLI does not read: ")
    link.signal(1, signal.SIGKILL)
    assert (await expect(link, Exited)).signal == 9


async def test_a_line_for_no_cli_is_refused(launcher: LauncherProcess, link: LauncherLink) -> None:
    launcher.launch()
    await expect(link, Hello)
    link.write(1, "a", "hello")
    assert await expect(link, Refused) == Refused(run=1, token="a", message="run 1 is not alive")
    await started(launcher, link, 1, CAT)
    link.close_stdin(1)
    link.write(1, "b", "hello")
    # The CLI may be gone before the line is looked at, or after.
    said = [await anext(link), await anext(link)]
    assert {event.token for event in said if isinstance(event, Refused)} == {"b"}
    assert any(isinstance(event, Exited) for event in said)

    await started(launcher, link, 2, ["/bin/sh", "-c", "exec 0<&-; echo closed; exec sleep 1000"])
    await until(lambda: launcher.spool(2).read_text())
    link.write(2, "c", "hello")
    assert await expect(link, Refused) == Refused(run=2, token="c", message="the CLI closed its stdin")


@pytest.mark.parametrize("line", ["two\nlines", b"two\nlines", "\ud800", b"\xff"])
async def test_what_is_no_line_is_not_sent(launcher: LauncherProcess, link: LauncherLink, line: str | bytes) -> None:
    launcher.launch()
    await expect(link, Hello)
    with pytest.raises(ValueError, match=r"line|codec"):
        link.write(1, "a", line)


# Agents come and go


async def test_the_cli_goes_on_without_an_agent_and_the_next_one_finds_it(launcher: LauncherProcess) -> None:
    launcher.launch()
    async with launcher.serve() as first:
        await expect(first, Hello)
        pid = await started(launcher, first, 1, CAT)
        first.write(1, "a", "to the first")
        await expect(first, Written)
    assert not Path(launcher.socket).exists()
    async with launcher.serve() as second:
        hello = await expect(second, Hello)
        assert hello.run == RunningCli(number=1, pid=pid)
        second.write(1, "b", "to the second")
        await until(lambda: launcher.spool(1).read_text() == "to the first\nto the second\n")
        os.kill(pid, signal.SIGKILL)
        exited = await expect(second, Exited)
    for _ in range(2):  # until it is confirmed
        async with launcher.serve() as later:
            hello = await expect(later, Hello)
            assert (hello.run, hello.exits) == (None, [exited])
    async with launcher.serve() as later:
        await expect(later, Hello)
        later.confirm(1)
        await started(launcher, later, 2, CAT)
    async with launcher.serve() as last:
        assert (await expect(last, Hello)).exits == []


async def test_what_an_agent_asked_before_it_hung_up_is_done(launcher: LauncherProcess) -> None:
    launcher.launch()
    async with launcher.serve() as link:
        await expect(link, Hello)
        await started(launcher, link, 1, CAT)
        for token in range(20):
            link.write(1, str(token), f"{token} {'x' * 1000}")
        link.close_stdin(1)
        link.bye()
    assert await launcher.exit_code() == 0
    assert len(launcher.spool(1).read_text().splitlines()) == 20


DYING_AGENT = """
import asyncio, os, signal, sys
from jelmore_agent.link.frames import encode
from jelmore_agent.link.launcher_link import LauncherLink

async def main():
    async with LauncherLink.serve(sys.argv[1], sys.argv[2]) as link:
        await anext(link)
        spool = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        link.start(1, ["/bin/cat"], {}, "/", spool)
        await anext(link)
        link.write(1, "a", "whole")
        frame = encode({"type": "write", "run": 1, "token": "b", "line": "t" * 5_000_000})
        link._peer._socket.setblocking(True)
        link._peer._socket.sendall(frame[:3_000_000])
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_an_agent_killed_in_the_middle_of_a_frame_leaves_no_torn_line(launcher: LauncherProcess) -> None:
    launcher.launch()
    spool = str(launcher.spool(1))
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", DYING_AGENT, launcher.socket, NONCE, spool)
    assert await agent.wait() == -signal.SIGKILL
    assert Path(launcher.socket).exists()  # what a killed agent leaves is in nobody's way
    async with launcher.serve() as link:
        hello = await expect(link, Hello)
        assert hello.run is not None
        link.write(1, "c", "after")
        link.close_stdin(1)
        assert (await expect(link, Exited)).code == 0
    assert launcher.spool(1).read_text() == "whole\nafter\n"


async def test_nothing_is_asked_of_a_launcher_that_is_not_there(launcher: LauncherProcess, link: LauncherLink) -> None:
    with pytest.raises(ConnectionError, match="no launcher is connected"):
        link.bye()
    launcher.launch()
    await expect(link, Hello)
    assert link.connected
    launcher.end()
    await expect(link, Disconnected)
    with pytest.raises(ConnectionError, match="no launcher is connected"):
        link.close_stdin(1)
