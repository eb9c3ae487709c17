"""Whatever `jelmore up` runs is killed, again and again, while sessions work and people watch: nothing that a session
said is lost, doubled or reordered, and each input runs once.

JELMORE_CHAOS_SECONDS and JELMORE_CHAOS_SEED make one long run of it.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from jelmore import AsyncJelmore
from tests.support.chaos import REST_LIMIT, SECONDS, SEEDS, Watched, work_through
from tests.support.processes import arguments_of, kill_all_of, processes_of
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

SERVERS = ("api", "demo", "nats", "postgres", "valkey")
# What is in the arguments of a session's processes.
MARKS = {"agent": "jelmore_agent.main", "launcher": "launcher/__main__.py", "cli": "_bundled/claude"}
VICTIMS = (*SERVERS, *MARKS, *MARKS, "up", "all")
PAUSES = (0.3, 2.5)


def folder(up: Up, one: Watched) -> Path:
    return up.home / "sessions" / one.session.id


async def kill_again_and_again(up: Up, sessions: list[Watched], seed: int) -> None:
    chance, began = random.Random(seed), time.monotonic()
    while (at := time.monotonic() - began) < SECONDS:
        await asyncio.sleep(chance.uniform(*PAUSES))
        victim, session = chance.choice(VICTIMS), chance.choice(sessions)
        killed = await asyncio.to_thread(kill, up, victim, folder(up, session))
        of = session.session.name if victim in MARKS else ""
        print(f"{at:6.2f} s: {victim} {of}", "" if killed else "was not there")


def kill(up: Up, victim: str, session: Path) -> bool:
    """Whether it was there."""
    if victim in ("up", "all"):
        start_again(up, everything=victim == "all")
        return True
    with contextlib.suppress(OSError, ValueError):
        if victim in SERVERS:
            os.kill(up.pid_of(victim), signal.SIGKILL)
            return True
        for pid in processes_of(session):
            if MARKS[victim] in arguments_of(pid):
                os.kill(pid, signal.SIGKILL)
                return True
    return False


def start_again(up: Up, *, everything: bool) -> None:
    if everything:
        kill_all_of(up.home)
    else:
        up.signal(signal.SIGKILL)
    up.end()
    (up.home / "endpoints.json").unlink(missing_ok=True)
    up.start()


@pytest.mark.timeout(SECONDS + 2 * REST_LIMIT)
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_is_killed_nothing_is_lost(up: Up, seed: int) -> None:
    print(f"seed {seed}")

    async def check(one: Watched) -> None:
        home = folder(up, one)
        await one.check(lines_of(home / "spool"), (home / "workspace" / "done.txt").read_text())

    await asyncio.to_thread(up.start)
    async with AsyncJelmore(up.url, retries=20) as jelmore:
        sessions = []
        for number in range(3):
            session = await jelmore.create(name=f"chaos-{number}", allowed_tools=["Bash"])
            sessions.append(Watched(session))
        # One of them sleeps between its inputs.
        await sessions[0].session.patch(lifecycle={"hibernate_after": "1s"})
        await work_through(sessions, kill_again_and_again(up, sessions, seed), check)
    assert (await asyncio.to_thread(up.stop))[0] == 0


def lines_of(spool: Path) -> list[bytes]:
    runs = sorted(spool.glob("run-*.jsonl"), key=lambda path: int(path.stem[4:]))
    return [line for run in runs for line in run.read_bytes().split(b"\n") if line]
