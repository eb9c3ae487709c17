"""A session's pod whose processes are killed, and that is deleted: what kubelet, parent and launcher make of it."""

from collections.abc import Callable

from jelmore_contract.resource import CredentialsKind
from tests.support.kube_pod import KubePod, MakePod
from tests.support.scripts import bash, say, script
from tests.support.session_rig import Log, eventually

SLOW = script(say("slow", chars=3000, deltas=150, delay_ms=20))
BASH = {"allowedTools": ["Bash"]}


def completed(input_id: str) -> Callable[[Log], bool]:
    return lambda log: log.input_states(input_id)[-1:] == ["completed"] and log.states()[-1:] == ["idle"]


async def until_counted(pod: KubePod) -> None:
    """Until the command of a turn has begun."""
    await pod.until(lambda log: "active" in log.states())
    await eventually(lambda: "x" in pod.in_agent("sh", "-c", "cat /workspace/count.txt || true"))


async def assert_log_is_the_spool(pod: KubePod) -> None:
    await pod.until(lambda log: log.lines() == pod.spool_lines())
    ids = [event.id for event in pod.log.events]
    assert len(ids) == len(set(ids))


async def test_a_killed_agent_and_a_killed_proxy_are_replaced_at_once(make_pod: MakePod) -> None:
    pod = await make_pod(kind=CredentialsKind.API_KEY)
    prompt = await pod.input(SLOW)
    await pod.until(lambda log: "started" in log.input_states(prompt))
    pod.process(pod.pair.agent, "jelmore_agent.main").kill()
    await pod.until(completed(prompt))
    pod.process(pod.pair.agent, "jelmore_proxy").kill()
    again = await pod.input(script(say("on we go")))
    await pod.until(completed(again))
    assert pod.restarts("agent") == 0
    assert pod.log.report is not None
    assert (pod.log.report.run, pod.log.of("error")) == (1, [])
    await assert_log_is_the_spool(pod)


async def test_a_killed_launcher_comes_back_and_its_turn_goes_on(make_pod: MakePod) -> None:
    pod = await make_pod(spec=BASH)
    prompt = await pod.input(script(bash("echo x >> count.txt; sleep 2"), say("finished")))
    await until_counted(pod)
    pod.process(pod.pair.claude, "launcher/__main__.py").kill()
    await pod.until(completed(prompt))
    assert pod.restarts("claude") == 1
    assert [error["reason"] for error in pod.log.payloads("error")] == ["interrupted"]
    assert pod.log.report is not None
    assert pod.log.report.run == 2
    await assert_log_is_the_spool(pod)


async def test_a_killed_sidecar_comes_back_and_the_turn_goes_on_meanwhile(make_pod: MakePod) -> None:
    pod = await make_pod()
    prompt = await pod.input(SLOW)
    await pod.until(lambda log: "started" in log.input_states(prompt))
    pod.process(pod.pair.agent, "jelmore_agent.parent").kill()
    await pod.until(completed(prompt))
    assert (pod.restarts("agent"), pod.restarts("claude")) == (1, 0)
    assert pod.log.report is not None
    assert (pod.log.report.run, pod.log.of("error")) == (1, [])
    await assert_log_is_the_spool(pod)


async def test_a_deleted_pod_ends_cleanly_and_the_next_one_goes_on(make_pod: MakePod) -> None:
    pod = await make_pod(spec=BASH)
    git = "git -c user.name=Ada -c user.email=ada@example.org"
    commands = f"git init -q . && echo x > a.txt && git add -A && {git} commit -qm one"
    first = await pod.input(script(bash(commands), say("ok")))
    await pod.until(completed(first))
    assert "commit" in [activity["operation"] for activity in pod.log.payloads("git_activity")]
    prompt = await pod.input(script(bash("echo x >> count.txt; sleep 3"), say("finished")))
    await until_counted(pod)
    assert await pod.delete() < 10
    assert pod.log.report is not None
    assert pod.log.report.drained
    pod.apply_pod()
    await pod.until(completed(prompt))
    assert pod.log.report.run == 2
    assert await pod.delete() < 10


async def test_what_it_costs(make_pod: MakePod) -> None:
    pod = await make_pod(kind=CredentialsKind.API_KEY)
    prompt = await pod.input(script(say("ready")))
    await pod.until(completed(prompt))
    sizes = {
        word: pod.process(user, word).memory_info().rss >> 20
        for user, word in (
            (pod.pair.claude, "launcher/__main__.py"),
            (pod.pair.agent, "jelmore_agent.parent"),
            (pod.pair.agent, "jelmore_agent.main"),
            (pod.pair.agent, "jelmore_proxy"),
        )
    }
    assert sizes["launcher/__main__.py"] <= 16
    assert sizes["jelmore_agent.parent"] <= 16
