"""Whatever `jelmore up` runs is killed, again and again, while sessions work and people watch: nothing that a session
said is lost, doubled or reordered, and each input runs once.

JELMORE_CHAOS_SECONDS and JELMORE_CHAOS_SEED make one long run of it: the seed says who is killed, and when.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jelmore import AsyncJelmore, AsyncSession, JelmoreError
from jelmore.events import Event, InputChanged, Output, StateChanged
from tests.support.processes import arguments_of, kill_all_of, processes_of, wait_for
from tests.support.scripts import bash, say, script
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

SECONDS = float(os.environ.get("JELMORE_CHAOS_SECONDS", "20"))
SEEDS = [int(os.environ["JELMORE_CHAOS_SEED"])] if "JELMORE_CHAOS_SEED" in os.environ else [1, 2]
SERVERS = ("api", "demo", "nats", "postgres", "valkey")
# What is in the arguments of a session's processes.
MARKS = {"agent": "jelmore_agent.main", "launcher": "jelmore_agent.launcher", "cli": "_bundled/claude"}
SESSION_PARTS = tuple(MARKS)
# Seconds that all of it may take to come to rest once nobody kills any more.
REST_LIMIT = 120.0
PAUSES = (0.3, 2.5)


@dataclass
class Watched:
    """A session, what is asked of it, and what somebody who watches it from its start is told."""

    session: AsyncSession
    folder: Path
    seen: list[Event] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    lost: int = 0

    async def watch(self) -> None:
        async for event in self.session.stream(on_lost=self._count):
            self.seen.append(event)

    def _count(self) -> None:
        self.lost += 1

    async def feed(self, stop: asyncio.Event) -> None:
        """One input after the other, each sent under its own key until somebody takes it."""
        number = 0
        while not stop.is_set():
            number += 1
            prompt = script(bash(f"echo {number} >> done.txt"), say(f"Done {number}."), words=f"Input {number}:")
            receipt = None
            while receipt is None:
                with contextlib.suppress(JelmoreError):
                    receipt = await self.session.send(prompt, key=f"input-{number}")
                await asyncio.sleep(0.05)
            self.inputs.append(receipt.input_id)
            while receipt.input_id not in self.states_of("completed", "failed", "cancelled"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def states_of(self, *states: str) -> Counter[str]:
        """How often each input reached one of them."""
        changes = [event.payload for event in self.seen if isinstance(event, InputChanged)]
        return Counter(change["input_id"] for change in changes if change["state"] in states)

    def pid(self, part: str) -> int | None:
        """None while there is none."""
        for pid in processes_of(self.folder):
            if MARKS[part] in arguments_of(pid):
                return pid
        return None


async def kill_again_and_again(up: Up, sessions: list[Watched], chance: random.Random) -> Counter[str]:
    """How often each was killed."""
    killed: Counter[str] = Counter()
    began = time.monotonic()
    while (at := time.monotonic() - began) < SECONDS:
        await asyncio.sleep(chance.uniform(*PAUSES))
        victim = chance.choice((*SERVERS, *SESSION_PARTS, *SESSION_PARTS, "up", "all"))
        session = chance.choice(sessions)
        print(f"{at:6.2f} s: {victim}", session.session.name if victim in SESSION_PARTS else "")
        killed[victim] += 1
        if victim in ("up", "all"):
            await asyncio.to_thread(start_again, up, everything=victim == "all")
            continue
        with contextlib.suppress(OSError, ValueError):
            pid = session.pid(victim) if victim in SESSION_PARTS else up.pid_of(victim)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
    return killed


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
    chance = random.Random(seed)
    await asyncio.to_thread(up.start)
    async with AsyncJelmore(up.url) as jelmore:
        watched = []
        for number in range(3):
            # One of them sleeps between its inputs.
            session = await jelmore.create(
                name=f"chaos-{number}",
                allowed_tools=["Bash"],
                lifecycle={"hibernate_after": "1s" if number == 0 else "1h"},
            )
            watched.append(Watched(session, up.home / "sessions" / session.id))
        stop = asyncio.Event()
        watching = [asyncio.create_task(one.watch()) for one in watched]
        feeding = [asyncio.create_task(one.feed(stop)) for one in watched]
        killed = await kill_again_and_again(up, watched, chance)
        stop.set()
        async with asyncio.timeout(REST_LIMIT):
            await asyncio.gather(*feeding)
            for one in watched:
                await one.session.wait("idle", "hibernated")
        print(f"killed: {dict(killed)}, inputs: {[len(one.inputs) for one in watched]}")
        for one in watched:
            await check(one)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    assert (await asyncio.to_thread(up.stop))[0] == 0


async def check(one: Watched) -> None:
    stored = [event async for event in one.session.export()]
    seqs = [event.seq for event in stored]
    assert seqs == sorted(set(seqs))
    assert len({event.body["id"] for event in stored}) == len(stored)
    # Who watched all the time was told the same as who asks afterwards.
    await asyncio.to_thread(wait_for, lambda: bool(one.seen) and one.seen[-1].seq >= seqs[-1])
    assert [event.text for event in one.seen[: len(stored)]] == [event.text for event in stored]
    assert [event.body async for event in one.session.events()][: len(stored)] == [event.body for event in stored]
    # What the CLI printed, in every run, and nothing else.
    said = [await one.session.content(event) for event in stored if isinstance(event, Output)]
    assert said == lines_of(one.folder / "spool")
    # Each input was taken once and came to its end once.
    assert len(set(one.inputs)) == len(one.inputs)
    assert one.states_of("queued") == one.states_of("completed", "failed", "cancelled") == Counter(one.inputs)
    assert one.states_of("failed", "cancelled") == Counter()
    assert set((one.folder / "workspace" / "done.txt").read_text().split()) == {
        str(number) for number in range(1, len(one.inputs) + 1)
    }
    changes = [event.payload for event in stored if isinstance(event, StateChanged)]
    assert [change["from"] for change in changes[1:]] == [change["to"] for change in changes[:-1]]


def lines_of(spool: Path) -> list[bytes]:
    runs = sorted(spool.glob("run-*.jsonl"), key=lambda path: int(path.stem[4:]))
    return [line for run in runs for line in run.read_bytes().split(b"\n") if line]
