"""The policies of a session's end by time, case by case: lifetime, and what is left of a session that has ended."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed, Obstacle
from jelmore_operator.reconcile.plan import (
    Action,
    CloseCommands,
    DeleteResource,
    Interrupt,
    KillRuntime,
    Plan,
    PublishState,
    PublishTerminated,
    StartRuntime,
    StopReason,
    StopRuntime,
    WriteStatus,
)
from jelmore_operator.reconcile.policies.expiry import expiry
from jelmore_operator.reconcile.policies.lifetime import lifetime
from tests.support.observations import AT_REST, ENDED, NOW, RUNNING, ago, observed, report, resource, running, sent

STOP = StopRuntime(StopReason.MAX_LIFETIME)
OLD: dict[str, Any] = {"lifecycle": {"maxLifetime": "1h"}}  # it is one hour old
YOUNG: dict[str, Any] = {"lifecycle": {"maxLifetime": "1h1s"}}
BUSY = report(state=SessionState.ACTIVE)

ENDING: dict[str, tuple[Observed, tuple[Action, ...]]] = {
    "is idle": (observed(resource(SessionState.IDLE, OLD), report(), runtime=RUNNING), (STOP,)),
    "works": (observed(resource(SessionState.ACTIVE, OLD), BUSY, runtime=RUNNING), (Interrupt(), STOP)),
    "is being stopped": (
        observed(resource(SessionState.ACTIVE, OLD), BUSY, runtime=running(stopping_since=ago(1))),
        (),
    ),
    "does not stop": (
        observed(resource(SessionState.ACTIVE, OLD), BUSY, runtime=running(stopping_since=ago(31))),
        (KillRuntime(),),
    ),
    "was lost, not all in the log": (
        observed(resource(SessionState.ACTIVE, OLD), BUSY, runtime=AT_REST),
        (StartRuntime(fresh=False),),
    ),
}
DONE: dict[str, Observed] = {
    "has ended": observed(resource(SessionState.IDLE, OLD), ENDED, runtime=AT_REST),
    "sleeps": observed(resource(SessionState.HIBERNATED, OLD), ENDED, runtime=AT_REST),
    "sleeps, and an input waits": observed(
        resource(SessionState.HIBERNATED, OLD), ENDED, runtime=AT_REST, last_input=sent()
    ),
    "failed": observed(resource(SessionState.FAILED, OLD), ENDED, runtime=AT_REST),
    "never ran": observed(resource(SessionState.PENDING, OLD)),
}


@pytest.mark.parametrize("case", ENDING)
def test_a_session_that_is_too_old_is_ended(case: str) -> None:
    seen, actions = ENDING[case]
    verdict = lifetime(seen, NOW)
    assert verdict is not None
    assert (verdict.actions, verdict.state, verdict.reason) == (actions, None, "Ending")


@pytest.mark.parametrize("case", DONE)
def test_and_terminated_once_nothing_runs(case: str) -> None:
    told, terminated, closed, write = decide(DONE[case], NOW).actions
    assert isinstance(told, PublishState)
    assert told.to is SessionState.TERMINATED
    assert (terminated, closed) == (PublishTerminated(StopReason.MAX_LIFETIME), CloseCommands())
    assert isinstance(write, WriteStatus)
    assert write.status.state is SessionState.TERMINATED
    assert write.status.message == told.message
    assert {c.type: c.status for c in write.status.conditions}["Terminated"] == "True"
    ended = resource(SessionState.TERMINATED, OLD).model_copy(update={"status": write.status})
    for last_input in (None, sent()):
        assert decide(replace(DONE[case], resource=ended, last_input=last_input), NOW) == Plan()


def test_a_younger_one_is_looked_at_again_when_it_is_due() -> None:
    seen = observed(resource(SessionState.IDLE, YOUNG), report(), runtime=RUNNING)
    assert lifetime(seen, NOW) is None
    assert decide(seen, NOW).requeue == 1


def test_what_keeps_it_from_being_ended_is_shown() -> None:
    refused = Obstacle("other", "Refused", "No quota.")
    seen = observed(resource(SessionState.IDLE, OLD), report(), runtime=running(launcher=False, obstacle=refused))
    verdict = lifetime(seen, NOW)
    assert verdict is not None
    assert verdict.message == "No quota."


def ended(state: SessionState, since: datetime, ttl: str | None, **metadata: Any) -> ClaudeSession:
    kind = "Terminated" if state is SessionState.TERMINATED else "Stalled"
    condition = {"type": kind, "status": "True", "reason": "R", "message": "", "lastTransitionTime": since}
    made = resource(state, {"lifecycle": {"ttlAfterFinished": ttl}}, conditions=[condition], message="why")
    return made.model_copy(update={"metadata": made.metadata.model_copy(update=metadata)})


FAILED, TERMINATED = SessionState.FAILED, SessionState.TERMINATED
TTL: list[tuple[str, ClaudeSession, bool]] = [
    ("failed long ago", ended(FAILED, ago(60), "1m"), True),
    ("terminated long ago", ended(TERMINATED, ago(60), "1m"), True),
    ("at once", ended(TERMINATED, ago(0), "0s"), True),
    ("a moment too early", ended(FAILED, ago(59.9), "1m"), False),
    ("to be kept", ended(FAILED, ago(6000), None), False),
    ("asleep", resource(SessionState.HIBERNATED, {"lifecycle": {"ttlAfterFinished": "1s"}}), False),
    ("changed since", ended(FAILED, ago(60), "1m", generation=2), False),
    ("retried since", ended(FAILED, ago(60), "1m", annotations={"jelmore.dev/retry-at": ago(30).isoformat()}), False),
]


@pytest.mark.parametrize(("name", "session", "goes"), TTL, ids=[case[0] for case in TTL])
def test_expiry(name: str, session: ClaudeSession, goes: bool) -> None:
    verdict = expiry(observed(session, report(Phase.ENDED), runtime=AT_REST), NOW)
    assert (verdict is not None) is goes
    if verdict is not None:
        assert (verdict.actions, verdict.state, verdict.message) == ((DeleteResource(),), session.status.state, "why")


def test_expiry_is_looked_at_again_when_it_is_due() -> None:
    assert decide(observed(ended(TERMINATED, ago(50), "1m"), ENDED, runtime=AT_REST), NOW).requeue == 10
