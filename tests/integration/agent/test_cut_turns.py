"""A turn that is cut goes on in the next run, however often: its input is done when the turn is, and once."""

from functools import partial

import pytest

from jelmore_agent.protocol import GO_ON
from tests.integration.agent.test_session import BASH, assert_log_is_the_spool, done
from tests.support.scripts import bash, say, script
from tests.support.session_rig import MakeRig, Rig, eventually

# Longer than it takes to cut it.
THINKS = say("slowly", chars=3000, deltas=150, delay_ms=20)


@pytest.mark.real_cli
async def test_a_turn_that_is_cut_twice_before_the_model_has_said_anything_goes_on(make_rig: MakeRig) -> None:
    """A CLI goes on with such a turn by itself once, and not again."""
    rig = await make_rig(settings=BASH)
    prompt = await rig.input(script([THINKS, bash("echo x >> count.txt")], say("Done.")))
    for last_words in (prompt, GO_ON):
        await eventually(partial(transcript_has, rig, last_words))
        rig.kill_cli()
    await rig.until(done(prompt))
    assert (rig.workspace / "count.txt").read_text() == "x\n"
    assert rig.log.input_states(prompt) == ["queued", "delivered", "started", "completed"]
    told = [(event.type, event.payload.get("state")) for event in rig.log.events]
    assert told.index(("turn_completed", None)) < told.index(("input", "completed"))
    await assert_log_is_the_spool(rig)


@pytest.mark.real_cli
async def test_a_cut_turn_that_is_put_to_sleep_goes_on_and_what_came_meanwhile_follows(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    first = await rig.input(script([THINKS, bash("echo x >> count.txt")], say("Done.")))
    await eventually(partial(transcript_has, rig, first))
    rig.kill_cli()
    await eventually(partial(transcript_has, rig, GO_ON))
    second = await rig.input(script(bash("echo y >> count.txt"), say("Done, too.")))
    assert await rig.stop() == 0
    rig.start_agent()
    rig.start_launcher()
    await rig.until(done(second))
    assert (rig.workspace / "count.txt").read_text() == "x\ny\n"
    for prompt in (first, second):
        assert rig.log.input_states(prompt) == ["queued", "delivered", "started", "completed"]
    await assert_log_is_the_spool(rig)


def transcript_has(rig: Rig, words: str) -> bool:
    return any(words in path.read_text() for path in (rig.folder / "claude" / "projects").glob("*/*.jsonl"))
