"""Whatever is killed, in whatever run: the next agent reads the disk in the order in which the last one wrote it."""

import random

import pytest

from tests.integration.agent.test_session import assert_log_is_the_spool, done
from tests.support.scripts import bash, say, script
from tests.support.session_rig import MakeRig

CYCLES = 5


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_session_whose_parts_are_killed_again_and_again(make_rig: MakeRig, seed: int) -> None:
    chance = random.Random(seed)
    rig = await make_rig()
    for cycle in range(CYCLES):
        end = chance.choice((rig.kill_all, rig.kill_agent, rig.stop))
        early = chance.random() < 0.5
        print(f"cycle {cycle}: {end.__name__}, the input comes {'first' if early else 'later'}")
        await end()
        prompt = await rig.input(script(bash("echo x >> count.txt"), say("Done."))) if early else None
        rig.start_agent()
        if end != rig.kill_agent:
            rig.start_launcher()
        prompt = prompt or await rig.input(script(bash("echo x >> count.txt"), say("Done.")))
        await rig.until(done(prompt), 60)
        await assert_log_is_the_spool(rig)
    assert (rig.workspace / "count.txt").read_text() == "x\n" * CYCLES
