"""The policy of running, case by case."""

import pytest

from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.observed import Observed, Obstacle, Runtime
from jelmore_operator.reconcile.plan import Action, KillRuntime, RestartAgent, StartRuntime
from jelmore_operator.reconcile.policies.failure import ADVICE
from jelmore_operator.reconcile.policies.run import run
from tests.support.observations import (
    AT_REST,
    ENDED,
    GIVEN_UP,
    NOW,
    RUNNING,
    ago,
    observed,
    report,
    resource,
    running,
)

PULL = Obstacle("image", "ErrImagePull", "The image x cannot be pulled.")
MANY = tuple(ago(n) for n in range(12, 0, -1))
FIVE = tuple(ago(n / 10) for n in range(5, 0, -1))

CASES: dict[str, tuple[Observed, tuple[Action, ...], float | None]] = {
    "new": (observed(resource()), (StartRuntime(fresh=True),), None),
    "runs": (observed(resource(), report(), runtime=RUNNING), (), None),
    "runs, nothing reported yet": (observed(resource(), runtime=RUNNING), (), None),
    "agent's configuration is old": (
        observed(resource(), report(), runtime=running(agent_stale=True)),
        (RestartAgent(crashed=False),),
        None,
    ),
    "agent died": (
        observed(resource(), report(), runtime=running(agent=False)),
        (RestartAgent(crashed=True),),
        None,
    ),
    "agent died for the fifth time": (
        observed(resource(), report(), runtime=running(agent=False, starts=FIVE)),
        (),
        0.4,
    ),
    "launcher died": (
        observed(resource(), report(), runtime=running(launcher=False)),
        (StartRuntime(fresh=False),),
        None,
    ),
    "both died": (
        observed(resource(SessionState.ACTIVE), report(), runtime=Runtime(starts=(ago(9),), spooled=True)),
        (StartRuntime(fresh=False),),
        None,
    ),
    "ended by itself": (
        observed(resource(SessionState.IDLE), ENDED, runtime=Runtime(starts=MANY, spooled=True)),
        (StartRuntime(fresh=True),),
        None,
    ),
    "woken": (
        observed(resource(SessionState.HIBERNATED), ENDED, runtime=AT_REST),
        (StartRuntime(fresh=True),),
        None,
    ),
    "tried again": (
        observed(resource(SessionState.FAILED), GIVEN_UP, runtime=Runtime(starts=MANY, spooled=True)),
        (StartRuntime(fresh=True),),
        None,
    ),
    "woken while it is being stopped": (
        observed(resource(SessionState.HIBERNATED), report(), runtime=running(stopping_since=ago(1))),
        (),
        29,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_run(case: str) -> None:
    seen, actions, requeue = CASES[case]
    verdict = run(seen, NOW)
    assert verdict.actions == actions
    assert verdict.requeue == (None if requeue is None else pytest.approx(requeue))


@pytest.mark.parametrize(
    "runtime",
    [running(obstacle=PULL), Runtime(obstacle=PULL), Runtime(obstacle=PULL, spooled=True, starts=(ago(9),))],
    ids=["was started", "could not be started", "could not be started again"],
)
def test_what_the_platform_tries_by_itself_is_waited_for_and_shown(runtime: Runtime) -> None:
    verdict = run(observed(resource(SessionState.ACTIVE), report(), runtime=runtime), NOW)
    assert (verdict.state, verdict.reason, verdict.message) == (SessionState.PENDING, PULL.reason, PULL.message)
    assert not verdict.failed_anew
    assert [type(action) for action in verdict.actions] == ([] if runtime.alive else [StartRuntime])


def test_what_does_not_end_is_told_and_waited_for() -> None:
    verdict = run(observed(resource(), runtime=running(obstacle=PULL, stopping_since=ago(1))), NOW)
    assert (verdict.reason, verdict.message, verdict.actions) == (PULL.reason, PULL.message, ())
    assert verdict.requeue == 29


def test_what_cannot_start_is_made_again_of_what_was_changed() -> None:
    verdict = run(observed(resource(), runtime=running(obstacle=PULL, outdated=True)), NOW)
    assert verdict.actions == (KillRuntime(),)


FINAL = Obstacle("workspace", "CloneFailed", "There is no branch x: change the ref.", final=True)


def test_what_no_other_try_helps_fails() -> None:
    verdict = run(observed(resource(), runtime=running(obstacle=FINAL)), NOW)
    assert (verdict.state, verdict.failed_anew, verdict.actions) == (SessionState.FAILED, True, ())
    assert verdict.message == f"{FINAL.message} {ADVICE}"


@pytest.mark.parametrize(
    ("state", "outdated"), [(SessionState.PENDING, True), (SessionState.FAILED, False)], ids=["changed", "asked again"]
)
def test_what_is_wanted_once_more_is_made_again(state: SessionState, outdated: bool) -> None:
    verdict = run(observed(resource(state), runtime=running(obstacle=FINAL, outdated=outdated)), NOW)
    assert (verdict.state, verdict.actions) == (SessionState.PENDING, (KillRuntime(),))


@pytest.mark.parametrize("runtime", [running(agent=False, starts=MANY), Runtime(starts=MANY, spooled=True)])
def test_a_crash_loop_fails_and_says_what_to_do(runtime: Runtime) -> None:
    verdict = run(observed(resource(SessionState.ACTIVE), report(), runtime=runtime), NOW)
    assert verdict.actions == ()
    assert verdict.failed_anew
    assert verdict.message == (
        "The session's processes ended by themselves 12 times within 5 minutes: see its logs. "
        "Then retry the session or send it an input; or delete it."
    )


@pytest.mark.parametrize(("phase", "reason"), [(Phase.READY, "Ready"), (Phase.STARTING, "Starting")])
def test_ready_is_the_agents_word(phase: Phase, reason: str) -> None:
    assert run(observed(resource(), report(phase), runtime=RUNNING), NOW).reason == reason
