"""The policy of hibernation and wake, case by case."""

from datetime import timedelta

import pytest

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, KillRuntime, StartRuntime, StopReason, StopRuntime
from jelmore_operator.reconcile.policies.hibernation import hibernation
from tests.support.observations import AT_REST, ENDED, NOW, RUNNING, observed, report, resource, running, sent

ASLEEP = resource(SessionState.HIBERNATED)
SUSPEND = {"lifecycle": {"suspend": True}}
SOON = NOW + timedelta(seconds=20)
WAS_SUSPENDED = [{"type": "Ready", "status": "False", "reason": "Suspended", "message": "", "lastTransitionTime": NOW}]

WOKEN: dict[str, Observed] = {
    "it never slept": observed(resource(SessionState.IDLE), report(), runtime=RUNNING),
    "it was active before a crash of everything": observed(resource(SessionState.ACTIVE), report(), runtime=AT_REST),
    "an input that nobody has dealt with": observed(ASLEEP, ENDED, runtime=AT_REST, last_input=sent()),
    "an input before the agent ever ran": observed(ASLEEP, last_input=sent()),
    "an input that was cut": observed(
        ASLEEP, report(ENDED.phase, ENDED.state, drained=True, open_inputs=1), runtime=AT_REST
    ),
    "a query that never ran": observed(resource(SessionState.HIBERNATED, {"query": "q"})),
    "lines that are not in the log": observed(ASLEEP, report(), runtime=AT_REST),
    "it is suspended no longer": observed(
        resource(SessionState.HIBERNATED, conditions=WAS_SUSPENDED), ENDED, runtime=AT_REST
    ),
}

RESTS: dict[str, tuple[Observed, tuple[Action, ...], bool]] = {
    "nothing to do": (observed(ASLEEP, ENDED, runtime=AT_REST), (), True),
    "neither query nor input": (observed(ASLEEP), (), True),
    "its last input was dealt with": (
        observed(
            ASLEEP,
            report(ENDED.phase, ENDED.state, drained=True, command_seq=20),
            runtime=AT_REST,
            last_input=sent(20),
        ),
        (),
        True,
    ),
    "suspended while it runs": (
        observed(resource(SessionState.ACTIVE, SUSPEND), report(), runtime=RUNNING),
        (StopRuntime(StopReason.SUSPENDED),),
        False,
    ),
    "suspended, although an input waits": (
        observed(resource(SessionState.HIBERNATED, SUSPEND), ENDED, runtime=AT_REST, last_input=sent()),
        (),
        True,
    ),
    "suspended after a crash: its log comes first": (
        observed(resource(SessionState.IDLE, SUSPEND), report(), runtime=AT_REST),
        (StartRuntime(fresh=False),),
        False,
    ),
    "shutdown": (
        observed(resource(SessionState.IDLE), report(), runtime=RUNNING, shutdown_by=SOON),
        (StopRuntime(StopReason.SHUTDOWN),),
        False,
    ),
    "shutdown, although an input waits": (
        observed(ASLEEP, ENDED, runtime=AT_REST, last_input=sent(), shutdown_by=SOON),
        (),
        True,
    ),
    "shutdown, not all in the log: the disk keeps it": (
        observed(resource(SessionState.IDLE), report(), runtime=AT_REST, shutdown_by=SOON),
        (),
        True,
    ),
    "shutdown, too slow": (
        observed(resource(SessionState.IDLE), report(), runtime=running(stopping_since=NOW), shutdown_by=NOW),
        (KillRuntime(),),
        False,
    ),
}


@pytest.mark.parametrize("case", WOKEN)
def test_awake(case: str) -> None:
    assert hibernation(WOKEN[case], NOW) is None


@pytest.mark.parametrize("case", RESTS)
def test_rest(case: str) -> None:
    seen, actions, done = RESTS[case]
    verdict = hibernation(seen, NOW)
    assert verdict is not None
    assert verdict.actions == actions
    assert (verdict.reason in ("Hibernated", "Suspended")) is done
    if done:
        assert verdict.state is SessionState.HIBERNATED
