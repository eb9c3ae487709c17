"""What sessions in pods run on is killed, again and again, while they work and people watch: nothing that a session
said is lost, doubled or reordered, and each input runs once.

JELMORE_CHAOS_SECONDS and JELMORE_CHAOS_SEED make one long run of it. Servers are others' here, too: they are killed by
the test of the same name for one machine.
"""

import asyncio
import random
import time

import pytest

from jelmore import AsyncJelmore
from tests.support.chaos import REST_LIMIT, SECONDS, SEEDS, Watched, work_through
from tests.support.platform import LIMIT_S, Platform
from tests.support.pod_processes import kill_in_pod
from tests.support.processes import wait_for

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(SECONDS + 3 * REST_LIMIT)]

MARKS = {"agent": "jelmore_agent.main", "launcher": "launcher", "cli": "stream-json"}
VICTIMS = ("operator", "api", *MARKS, *MARKS, "pod", "pod at once")
PAUSES = (0.5, 4.0)


def kill(platform: Platform, victim: str, name: str) -> bool:
    """Whether it was there."""
    pod = f"claude-{name}"
    if victim in ("operator", "api"):
        part = platform.operator if victim == "operator" else platform.api
        part.kill()
        part.start()
    elif victim in MARKS:
        return bool(kill_in_pod(platform.get("pod", pod).get("metadata", {}).get("uid", "none"), MARKS[victim]))
    else:
        grace = ["--grace-period=1"] if victim == "pod at once" else []
        delete = ("delete", "-n", platform.namespace, "pod", pod, "--ignore-not-found", "--wait=false", *grace)
        return platform.kubectl(*delete) != ""
    return True


async def kill_again_and_again(platform: Platform, sessions: list[Watched], seed: int) -> None:
    chance, began = random.Random(seed), time.monotonic()
    while (at := time.monotonic() - began) < SECONDS:
        await asyncio.sleep(chance.uniform(*PAUSES))
        victim, name = chance.choice(VICTIMS), chance.choice(sessions).session.name
        killed = await asyncio.to_thread(kill, platform, victim, name)
        print(f"{at:6.2f} s: {victim} of {name}", "" if killed else "was not there")


def in_pod(platform: Platform, name: str, command: str) -> str:
    pod = ("-n", platform.namespace, "exec", f"claude-{name}", "-c", "agent")
    return platform.kubectl(*pod, "--", "sh", "-c", command)


async def test_whatever_is_killed_nothing_is_lost(platform: Platform) -> None:
    seed = SEEDS[0]
    print(f"seed {seed}")

    async def check(one: Watched) -> None:
        name = one.session.name
        spool = await asyncio.to_thread(in_pod, platform, name, "cat $(ls /var/lib/jelmore/run-*.jsonl | sort -V)")
        done = await asyncio.to_thread(in_pod, platform, name, "cat /workspace/done.txt")
        await one.check([line for line in spool.encode().split(b"\n") if line], done)

    names = ["chaos-0", "chaos-1"]
    ids = [await asyncio.to_thread(platform.apply, name, allowedTools=["Bash"]) for name in names]
    await asyncio.to_thread(wait_for, lambda: platform.status(names[1]).get("state") == "idle", LIMIT_S)
    async with AsyncJelmore(str(platform.http.base_url), platform.token, retries=20) as jelmore:
        sessions = [Watched(await jelmore.get(session)) for session in ids]
        await work_through(sessions, kill_again_and_again(platform, sessions, seed), check)
