"""An agent that starts reads its whole disk before it takes anything new."""

import pytest

from jelmore_agent import facts
from jelmore_agent.spool import facts_path, spool_path
from jelmore_contract.events import now
from tests.integration.agent.test_session import assert_log_is_the_spool, done
from tests.support.scripts import say, script
from tests.support.session_rig import MakeRig, Rig

# Reading these takes longer than it takes to be given a command.
RUNS = 600
LINE = b'{"type":"keep_alive"}\n'


def leave_past_runs(rig: Rig) -> None:
    """What a session leaves that began again so many times, and was put to sleep at last."""
    rig.spool.mkdir()
    for run in range(1, RUNS + 1):
        spool_path(rig.spool, run).write_bytes(LINE)
        noted: list[tuple[int, facts.Fact]] = [
            (0, facts.RunStarted(now(), run, None, str(rig.workspace), None)),
            (len(LINE), facts.RunExited(now(), code=0, asked=True)),
            (len(LINE), facts.Ended(now())),
        ]
        facts_path(rig.spool, run).write_bytes(b"".join(facts.encode_fact(at, fact) for at, fact in noted))


@pytest.mark.real_cli
async def test_a_command_that_comes_while_the_disk_is_read_is_noted_behind_it(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False)
    leave_past_runs(rig)
    prompt = await rig.input(script(say("Done.")))
    await rig.start()
    await rig.until(done(prompt))
    at, _ = facts.decode_fact(facts_path(rig.spool, RUNS).read_bytes().splitlines(keepends=True)[3])
    assert at == len(LINE)
    assert rig.log.input_states(prompt) == ["queued", "delivered", "started", "completed"]
    await assert_log_is_the_spool(rig)
