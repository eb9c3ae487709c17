"""The policy of hibernation and wake, case by case."""

from datetime import timedelta
from typing import Any

import pytest

from jelmore_contract.report import Usage
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, KillRuntime, StartRuntime, StopReason, StopRuntime
from jelmore_operator.reconcile.policies.hibernation import hibernation
from tests.support.observations import AT_REST, ENDED, NOW, RUNNING, ago, observed, report, resource, running, sent

ASLEEP = resource(SessionState.HIBERNATED)
SUSPEND = {"lifecycle": {"suspend": True}}
SOON = NOW + timedelta(seconds=20)


def ready(reason: str) -> dict[str, Any]:
    return {"type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": NOW}


HOUR: dict[str, Any] = {"lifecycle": {"hibernateAfter": "1h"}}
POOR: dict[str, Any] = {"budget": {"usd": 1}}


def idle(seconds: float, spec: dict[str, Any] = HOUR, last: dict[str, Any] | None = None, **more: Any) -> Observed:
    said = report(last_activity=ago(seconds).isoformat(), **(last or {}))
    return observed(resource(SessionState.IDLE, spec), said, runtime=RUNNING, **more)


WOKEN: dict[str, Observed] = {
    "it was idle for too short a time": idle(3599),
    "it is never to sleep": idle(10**6, {"lifecycle": {"hibernateAfter": "0s"}}),
    "it works": idle(10**6, last={"state": SessionState.ACTIVE}),
    "it waits for a person": idle(10**6, last={"state": SessionState.WAITING_INPUT}),
    "a task runs in the background": idle(10**6, last={"background_tasks": 1}),
    "an input is open": idle(10**6, last={"open_inputs": 1}),
    "an input just came": idle(10**6, last={"command_seq": 19}, last_input=sent(20)),
    "it falls asleep, and an input comes": observed(
        resource(SessionState.IDLE, conditions=[ready("Hibernating")]),
        report(),
        runtime=running(stopping_since=NOW),
        last_input=sent(),
    ),
    "its budget was raised": observed(
        resource(SessionState.HIBERNATED, {"budget": {"usd": 1.1}}),
        report(ENDED.phase, ENDED.state, drained=True, open_inputs=1, usage=Usage(cost_usd=1)),
        runtime=AT_REST,
    ),
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
        resource(SessionState.HIBERNATED, conditions=[ready("Suspended")]), ENDED, runtime=AT_REST
    ),
}

RESTS: dict[str, tuple[Observed, tuple[Action, ...], bool]] = {
    "idle for long enough": (idle(3600), (StopRuntime(StopReason.HIBERNATED),), False),
    "idle, with inputs that its budget does not allow": (
        idle(3600, HOUR | POOR, {"open_inputs": 1, "usage": Usage(cost_usd=1)}),
        (StopRuntime(StopReason.HIBERNATED),),
        False,
    ),
    "falls asleep": (
        observed(
            resource(SessionState.IDLE, conditions=[ready("Hibernating")]), ENDED, runtime=running(stopping_since=NOW)
        ),
        (),
        False,
    ),
    "fell asleep": (
        observed(resource(SessionState.IDLE, conditions=[ready("Hibernating")]), ENDED, runtime=AT_REST),
        (),
        True,
    ),
    "an input waits that its budget does not allow": (
        observed(
            resource(SessionState.HIBERNATED, POOR),
            report(ENDED.phase, ENDED.state, drained=True, usage=Usage(cost_usd=1)),
            runtime=AT_REST,
            last_input=sent(),
        ),
        (),
        True,
    ),
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


def test_an_idle_session_is_looked_at_again_when_it_is_due() -> None:
    assert decide(idle(3590), NOW).requeue == 10
