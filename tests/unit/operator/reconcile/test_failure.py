"""The policy of failure, case by case."""

import pytest

from jelmore_contract.resource import RETRY_AT, ClaudeSession
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import StopReason, StopRuntime
from jelmore_operator.reconcile.policies.failure import failure
from tests.support.observations import (
    AT_REST,
    GIVEN_UP,
    NOW,
    RUNNING,
    ago,
    observed,
    report,
    resource,
    running,
    sent,
)

STALLED = [
    {
        "type": "Stalled",
        "status": "True",
        "reason": "CrashLoop",
        "message": "why",
        "lastTransitionTime": ago(10),
    }
]


def failed(generation: int = 1, retry_at: float | None = 1000) -> ClaudeSession:
    """retry_at: seconds ago; None for a text that is no time."""
    made = resource(SessionState.FAILED, generation=generation, conditions=STALLED, message="why")
    wish = "soon" if retry_at is None else ago(retry_at).isoformat()
    metadata = made.metadata.model_copy(update={"annotations": {RETRY_AT: wish}})
    return made.model_copy(update={"metadata": metadata})


NOT_FAILED: dict[str, Observed] = {
    "runs": observed(resource(SessionState.IDLE), report(), runtime=RUNNING),
    "an earlier runtime had given up": observed(
        resource(SessionState.PENDING), GIVEN_UP, runtime=running(report_seq=10)
    ),
    "an input came later": observed(failed(), GIVEN_UP, runtime=AT_REST, last_input=sent(seconds_ago=5)),
    "somebody wants it tried again": observed(failed(retry_at=5), GIVEN_UP, runtime=AT_REST),
    "its spec was changed": observed(failed(generation=2), GIVEN_UP, runtime=AT_REST),
}

FAILED: dict[str, Observed] = {
    "it was retried before": observed(failed(retry_at=11), GIVEN_UP, runtime=AT_REST),
    "it is retried at no time": observed(failed(retry_at=None), GIVEN_UP, runtime=AT_REST),
    "nothing changed": observed(failed(), GIVEN_UP, runtime=AT_REST),
    "its input came before": observed(failed(), GIVEN_UP, runtime=AT_REST, last_input=sent(seconds_ago=11)),
}


@pytest.mark.parametrize("case", NOT_FAILED)
def test_not_failed(case: str) -> None:
    assert failure(NOT_FAILED[case], NOW) is None


@pytest.mark.parametrize("case", FAILED)
def test_stays_failed(case: str) -> None:
    verdict = failure(FAILED[case], NOW)
    assert verdict is not None
    assert (verdict.state, verdict.message, verdict.actions) == (SessionState.FAILED, "why", ())
    assert not verdict.failed_anew


def test_the_agent_gives_up() -> None:
    verdict = failure(observed(resource(SessionState.ACTIVE), GIVEN_UP, runtime=RUNNING), NOW)
    assert verdict is not None
    assert verdict.failed_anew
    assert verdict.state is SessionState.FAILED
    assert verdict.message == f"{GIVEN_UP.message} Then retry the session or send it an input; or delete it."


def test_what_still_runs_of_a_failed_session_is_ended() -> None:
    verdict = failure(observed(failed(), report(), runtime=RUNNING), NOW)
    assert verdict is not None
    assert verdict.actions == (StopRuntime(StopReason.FAILED),)
