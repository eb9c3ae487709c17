"""A session whose agent is another user than the CLI, as in a pod: what it needs to see, it sees; what it may not, it
says.
"""

import signal

import psutil
import pytest

from tests.integration.agent.test_session import BASH, UNTIL_GO, assert_log_is_the_spool, count_of, done, rests
from tests.support.pod_rig import MakePodRig, PodRig
from tests.support.scripts import bash, say, script, write

pytestmark = pytest.mark.real_cli


def cli(rig: PodRig) -> psutil.Process:
    assert rig.launcher is not None
    family = psutil.Process(rig.launcher.pid).children(recursive=True)
    return next(process for process in family if process.cmdline()[:1] == [rig.claude])


async def test_a_turn_and_its_end(make_pod_rig: MakePodRig) -> None:
    rig = await make_pod_rig(settings=BASH)
    commands = "git init -q -b main . && git add -A && git commit -qm first && mkdir sub && cd sub && echo x > b.txt"
    prompt = await rig.input(script(write("a.txt", "hello\n"), bash(commands), say("All done.")))
    await rig.until(done(prompt))
    await rig.until(lambda log: len(log.of("file_modified")) == 2)
    assert [(p["path"], p["turn"]) for p in rig.log.payloads("file_modified")] == [("a.txt", 1), ("sub/b.txt", 1)]
    assert "commit" in [p["operation"] for p in rig.log.payloads("git_activity")]
    assert rig.log.of("error") == []
    assert rig.launcher is not None
    psutil.Process(rig.launcher.pid).children()[0].terminate()
    await rig.until(lambda log: log.report is not None and log.report.drained)
    await assert_log_is_the_spool(rig)


async def test_a_conversation_is_found_and_goes_on(make_pod_rig: MakePodRig) -> None:
    rig = await make_pod_rig(settings=BASH)
    prompt = await rig.input(script(bash(f"echo x >> count.txt; {UNTIL_GO}"), say("finished")))
    await rig.until(lambda log: count_of(rig.workspace / "count.txt") == 1)
    cli(rig).send_signal(signal.SIGKILL)
    (rig.workspace / "go").touch()
    await rig.until(lambda log: "completed" in log.input_states(prompt) and rests(log))
    assert rig.log.payloads("error")[0]["reason"] == "interrupted"
    assert rig.log.report is not None
    assert rig.log.report.run == 2
    assert rig.log.report.claude_session_id == rig.key.session_id
    await assert_log_is_the_spool(rig)


async def test_what_may_not_be_read_is_said_once_and_told_when_it_may(make_pod_rig: MakePodRig) -> None:
    rig = await make_pod_rig(settings=BASH)
    closed = "mkdir a b && echo x > a/one && chmod 700 a && echo x > b/two && chmod 744 b && chmod 700 ."
    prompt = await rig.input(script(bash(closed), say("closed")))
    await rig.until(done(prompt))
    again = await rig.input(script(bash("echo y > a/three; echo y > four"), say("again")))
    await rig.until(done(again))
    errors = rig.log.payloads("error")
    assert [error["reason"] for error in errors] == ["workspace"]
    assert "may not read" in errors[0]["message"]
    assert rig.workspace.stat().st_mode & 0o777 == 0o700
    opened = await rig.input(script(bash("chmod -R g+rX ."), say("open")))
    await rig.until(done(opened))
    await rig.until(lambda log: len({p["path"] for p in log.payloads("file_modified")}) == 4)
    assert [p["change"] for p in rig.log.payloads("file_modified")] == ["created"] * 4
