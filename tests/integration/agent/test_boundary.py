"""What Claude runs against the rest of its own session: refused in the pod's arrangement, done in a naive one.

The same attacks in a real pod: tests/e2e/test_boundary.py.
"""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest

from tests.integration.agent.test_session import BASH, assert_log_is_the_spool, done
from tests.support import attacks
from tests.support.container import Container, contained
from tests.support.pod_rig import AGENT, CLAUDE, TOKEN, MakePodRig, PodRig
from tests.support.scripts import bash, say, script, write
from tests.support.session_rig import claude_binary

pytestmark = pytest.mark.real_cli

#: What protects against these is in the launcher and the kernel, not in how the pod is arranged.
ALWAYS = {"speak through an inherited spool", "say hello", "become the agent"}


async def attacked(rig: PodRig, init: int, *, signals: bool) -> dict[str, str]:
    """What came of each attack."""
    targets: attacks.Targets = {
        "init": init,
        "secrets": [str(rig.secret / name) for name in ("agent.json", "nats.creds", "nonce")],
        "spool": str(rig.spool),
        "socket": str(rig.run / "agent.sock"),
        "claude": rig.claude,
        "agent": AGENT,
        "canaries": [TOKEN[::-1], (rig.secret / "nonce").read_text()[::-1]],
        "signals": signals,
    }
    program = Path(attacks.__file__).read_text()
    command = f"{sys.executable} -I -S attacks.py '{json.dumps(targets)}' > results.json"
    prompt = await rig.input(script(write("attacks.py", program), bash(command), say("still here")))
    await rig.until(done(prompt))
    results = (rig.workspace / "results.json").read_text()
    assert results, [line for line in rig.log.lines() if b"tool_result" in line]
    found: dict[str, str] = json.loads(results)
    return found


async def test_nothing_that_claude_runs_gets_through(make_pod_rig: MakePodRig) -> None:
    rig = await make_pod_rig(settings=BASH)
    results = await attacked(rig, 1, signals=True)
    assert {name: what for name, what in results.items() if not what.startswith("refused: ")} == {}
    assert rig.log.report is not None
    assert (rig.log.report.run, rig.log.of("error")) == (1, [])
    await assert_log_is_the_spool(rig)
    assert attacks.FORGED.rstrip() not in rig.log.lines()


async def test_in_a_naive_arrangement_it_does(make_pod_rig: MakePodRig) -> None:
    """One user, one container, a CLI that can be read, a launcher that is not hardened: the attacks are real ones."""
    rig = await make_pod_rig(settings=BASH, naive=True, claude=claude_binary())
    plain = contained(Container(CLAUDE, CLAUDE, own_pids=False), ["sleep", "1000"])
    stand_in = await asyncio.create_subprocess_exec(*plain, stdout=DEVNULL)
    try:
        results = await attacked(rig, stand_in.pid, signals=False)
    finally:
        stand_in.kill()
        await stand_in.wait()
    assert {name for name, what in results.items() if what != "done"} == ALWAYS
    assert attacks.FORGED.rstrip() in rig.spool_lines()
