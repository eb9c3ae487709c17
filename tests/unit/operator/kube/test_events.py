"""Which changes a person hears of, and in which words."""

import json

import pytest

from jelmore_contract.report import Usage
from jelmore_contract.states import SessionState
from jelmore_operator.kube.events import Happened, event_document, event_of
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed, Obstacle
from jelmore_operator.reconcile.plan import (
    Action,
    DeleteResource,
    KillRuntime,
    PublishCreated,
    PublishState,
    PublishTerminated,
    StartRuntime,
    StopReason,
    StopRuntime,
    WriteStatus,
)
from tests.support.observations import ENDED, NOW, RUNNING, observed, report, resource, running

PULL = Obstacle("image", "ImagePullProblem", "The image x cannot be pulled.")

TOLD: dict[str, tuple[Observed, Action, str | None, bool]] = {
    "the first start": (observed(), StartRuntime(True), "Started", False),
    "a later start": (observed(last=report(run=2)), StartRuntime(False), "Resumed", False),
    "sleep": (observed(last=ENDED), PublishState(SessionState.HIBERNATED), "Hibernated", False),
    "failure": (observed(), PublishState(SessionState.FAILED, "Why."), "Failed", True),
    "the end": (observed(), PublishTerminated(StopReason.DELETED), "Deleted", False),
    "a kill": (observed(runtime=RUNNING), KillRuntime(), "Killed", True),
    "a kill of what does not end": (
        observed(runtime=running(obstacle=PULL, stopping_since=NOW)),
        KillRuntime(),
        "Killed",
        True,
    ),
    "the end of a lifetime": (observed(), PublishTerminated(StopReason.MAX_LIFETIME), "Terminated", False),
    "an expiry": (observed(), DeleteResource(), "Expired", False),
    "another try": (observed(runtime=running(obstacle=PULL)), KillRuntime(), "Replaced", False),
    "waking": (observed(), PublishState(SessionState.PENDING), None, False),
    "stopping": (observed(runtime=RUNNING), StopRuntime(StopReason.SUSPENDED), None, False),
    "being new": (observed(), PublishCreated(), None, False),
}


@pytest.mark.parametrize("case", TOLD)
def test_told(case: str) -> None:
    seen, action, reason, warning = TOLD[case]
    happened = event_of(seen, action)
    assert (happened and happened.reason) == reason
    assert happened is None or happened.warning is warning


def _write(seen: Observed) -> WriteStatus:
    return next(action for action in decide(seen, NOW).actions if isinstance(action, WriteStatus))


def test_an_obstacle_is_told_once() -> None:
    seen = observed(runtime=running(obstacle=PULL))
    write = _write(seen)
    happened = event_of(seen, write)
    assert happened is not None
    assert (happened.reason, happened.message, happened.warning) == ("ImagePullProblem", PULL.message, True)
    told = resource().model_copy(update={"status": write.status})
    other = Obstacle("image", "ImagePullProblem", "The image x cannot be pulled, still.")
    seen = observed(told, runtime=running(obstacle=other))
    assert event_of(seen, _write(seen)) is None


def test_what_stands_in_the_way_is_told_once() -> None:
    session = resource(spec={"budget": {"usd": 1}})
    seen = observed(session, report(usage=Usage(cost_usd=1)), runtime=RUNNING)
    write = _write(seen)
    happened = event_of(seen, write)
    assert happened is not None
    assert (happened.reason, happened.warning) == ("BudgetUsed", True)
    assert "Raise budget.usd" in happened.message
    told = session.model_copy(update={"status": write.status})
    more = observed(told, report(usage=Usage(cost_usd=2)), runtime=RUNNING)
    assert event_of(more, _write(more)) is None


def test_what_a_running_session_may_not_reach_is_told_once() -> None:
    session = resource(SessionState.IDLE, {"egress": {"allow": [{"namespace": "tools", "ports": [80]}]}})
    seen = observed(session, report(), runtime=RUNNING, egress_problem="No.")
    write = _write(seen)
    assert event_of(seen, write) == Happened("EgressNotAllowed", "No.", warning=True)
    told = session.model_copy(update={"status": write.status})
    more = observed(told, report(usage=Usage(cost_usd=2)), runtime=RUNNING, egress_problem="No, still.")
    assert event_of(more, _write(more)) is None
    failed = observed(session, egress_problem="No.")
    assert event_of(failed, _write(failed)) is None


def test_a_status_without_an_obstacle_is_no_event() -> None:
    seen = observed(last=report(), runtime=RUNNING)
    assert event_of(seen, _write(seen)) is None


def test_an_event_is_about_its_session_and_no_longer_than_may_be() -> None:
    happened = event_of(observed(), PublishState(SessionState.FAILED, "x" * 5000))
    assert happened is not None
    document = event_document(resource(), happened, NOW)
    assert document["involvedObject"]["name"] == "a"
    assert document["type"] == "Warning"
    assert len(document["message"]) == 1024
    assert document["metadata"]["name"] != event_document(resource(), happened, NOW)["metadata"]["name"]
    assert json.loads(json.dumps(document)) == document
