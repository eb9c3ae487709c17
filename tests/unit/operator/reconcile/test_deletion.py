"""The policy of deletion, case by case."""

import pytest

from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    Action,
    CloseCommands,
    ForgetResource,
    KillRuntime,
    PublishState,
    PublishTerminated,
    RestartAgent,
    StartRuntime,
    StopReason,
    StopRuntime,
)
from jelmore_operator.reconcile.policies.deletion import HOST_LOST, LIMIT, deletion
from tests.support.observations import AT_REST, ENDED, NOW, RUNNING, ago, observed, report, resource, running

JUST, LONG_AGO, TOO_LONG_AGO = ago(1), ago(LIMIT + 1), ago(LIMIT + HOST_LOST + 1)
END = (
    PublishState(SessionState.TERMINATED, None),
    PublishTerminated(StopReason.DELETED),
    CloseCommands(),
    ForgetResource(),
)


CASES: dict[str, tuple[Observed, tuple[Action, ...]]] = {
    "runs": (
        observed(resource(deleted=JUST), report(), runtime=RUNNING),
        (StopRuntime(StopReason.DELETED),),
    ),
    "was asked to stop": (
        observed(resource(deleted=JUST), report(), runtime=running(stopping_since=JUST)),
        (),
    ),
    "does not stop": (
        observed(resource(deleted=ago(40)), report(), runtime=running(stopping_since=ago(31))),
        (KillRuntime(),),
    ),
    "lost its agent": (
        observed(resource(deleted=JUST), report(), runtime=running(agent=False, stopping_since=JUST)),
        (RestartAgent(crashed=True),),
    ),
    "lost its launcher": (
        observed(resource(deleted=JUST), report(), runtime=running(launcher=False)),
        (KillRuntime(),),
    ),
    "publishes the rest": (
        observed(resource(deleted=JUST), report(), runtime=running(launcher=False, stopping_since=JUST)),
        (),
    ),
    "has published all and hangs": (
        observed(resource(deleted=JUST), ENDED, runtime=running(launcher=False, stopping_since=JUST)),
        (KillRuntime(),),
    ),
    "ended, all in the log": (observed(resource(deleted=JUST), ENDED, runtime=AT_REST), END),
    "never ran": (observed(resource(deleted=JUST)), END),
    "lost whole, not all in the log": (
        observed(resource(deleted=JUST), report(), runtime=AT_REST),
        (StartRuntime(fresh=False),),
    ),
    "was just started": (
        observed(resource(deleted=JUST), ENDED, runtime=running(report_seq=10, starts=(ago(0.4),))),
        (),
    ),
    "the limit has passed, still runs": (
        observed(resource(deleted=LONG_AGO), report(), runtime=running(stopping_since=LONG_AGO)),
        (KillRuntime(),),
    ),
    "all processes go": (
        observed(resource(deleted=JUST), report(), runtime=AT_REST, shutdown_by=NOW),
        (),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_deletion(case: str) -> None:
    seen, actions = CASES[case]
    verdict = deletion(seen, NOW)
    assert verdict is not None
    assert verdict.actions == actions


def test_a_session_that_is_not_deleted_is_not_its_business() -> None:
    assert deletion(observed(runtime=RUNNING), NOW) is None


def test_past_the_limit_it_ends_and_says_what_may_be_missing() -> None:
    verdict = deletion(observed(resource(deleted=LONG_AGO), report(), runtime=AT_REST), NOW)
    assert verdict is not None
    assert verdict.message is not None
    assert "60 s" in verdict.message
    assert verdict.actions == (PublishState(SessionState.TERMINATED, verdict.message), *END[1:])


def test_past_the_limit_nothing_that_fails_keeps_it() -> None:
    asked = [ago(5), LONG_AGO]
    verdicts = [deletion(observed(resource(deleted=at), ENDED, runtime=AT_REST), NOW) for at in asked]
    assert [verdict and verdict.insist for verdict in verdicts] == [True, False]


def test_a_host_that_does_not_answer_is_not_waited_for() -> None:
    late = [
        deletion(observed(resource(deleted=at), report(), runtime=running(stopping_since=at)), NOW)
        for at in (LONG_AGO, TOO_LONG_AGO)
    ]
    assert late[0] is not None
    assert late[0].requeue == HOST_LOST
    assert late[1] is not None
    assert late[1].actions == (KillRuntime(), PublishState(SessionState.TERMINATED, late[1].message), *END[1:])
    assert not late[1].insist


def test_it_looks_again_when_the_limit_passes() -> None:
    verdict = deletion(
        observed(resource(deleted=ago(50)), report(Phase.READY), runtime=running(stopping_since=ago(25))), NOW
    )
    assert verdict is not None
    assert verdict.requeue == pytest.approx(5)
