"""Workspace and credentials: what is missing keeps a session from starting, and ends none that runs."""

import pytest

from jelmore_contract.resource import Condition
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.conditions import find
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Clone, Observed, Obstacle, Runtime
from jelmore_operator.reconcile.plan import CloneWorkspace, PublishState, StartRuntime, WriteStatus
from jelmore_operator.reconcile.policies.credentials import credentials
from jelmore_operator.reconcile.policies.failure import ADVICE
from jelmore_operator.reconcile.policies.workspace import workspace
from tests.support.observations import NOW, RUNNING, ago, observed, report, resource, sent

PROBLEM = "The workspace /x does not exist: make it."


def test_no_problem() -> None:
    assert workspace(observed(), NOW) is None
    assert credentials(observed()) is None


def test_a_running_session_is_left_alone() -> None:
    assert workspace(observed(runtime=RUNNING, workspace_problem=PROBLEM), NOW) is None
    assert credentials(observed(runtime=RUNNING, credentials_problem=PROBLEM)) is None


@pytest.mark.parametrize(
    ("seen", "condition"),
    [
        (observed(workspace_problem=PROBLEM), "WorkspaceReady"),
        (observed(credentials_problem=PROBLEM), "CredentialsReady"),
    ],
)
def test_a_session_that_lacks_something_fails_with_what_to_do(seen: Observed, condition: str) -> None:
    plan = decide(seen, NOW)
    state, write = plan.actions
    assert isinstance(state, PublishState)
    assert state.to is SessionState.FAILED
    assert isinstance(write, WriteStatus)
    assert write.status.message == f"{PROBLEM} Then retry the session or send it an input; or delete it."
    assert {c.type: c.status for c in write.status.conditions}[condition] == "False"


def test_it_is_tried_again_once_for_each_input_that_is_sent_later() -> None:
    seen = observed(resource(), workspace_problem=PROBLEM)
    (_, write) = decide(seen, NOW).actions
    assert isinstance(write, WriteStatus)
    failed = resource().model_copy(update={"status": write.status})
    again = observed(failed, last_input=sent(seconds_ago=-5), workspace_problem=PROBLEM)
    (rewrite,) = decide(again, NOW.replace(second=40)).actions
    assert isinstance(rewrite, WriteStatus)
    failed = resource().model_copy(update={"status": rewrite.status})
    seen = observed(failed, last_input=sent(seconds_ago=-5), workspace_problem=PROBLEM)
    assert decide(seen, NOW.replace(second=41)).actions == ()
    plan = decide(observed(failed, last_input=sent(seconds_ago=-50)), NOW.replace(second=59))
    assert StartRuntime(fresh=True) in plan.actions


def test_a_running_session_shows_what_it_lacks() -> None:
    plan = decide(observed(resource(), report(), runtime=RUNNING, workspace_problem=PROBLEM), NOW)
    (write,) = plan.actions
    assert isinstance(write, WriteStatus)
    assert write.status.state is SessionState.IDLE
    assert {c.type: c.status for c in write.status.conditions}["WorkspaceReady"] == "False"


WITH_GIT = {"workspace": {"git": {"url": "https://h/a"}}}
DIED = tuple(ago(n) for n in range(24, 0, -2))


@pytest.mark.parametrize(
    ("state", "clone", "actions", "requeue"),
    [
        (SessionState.PENDING, Clone(), (CloneWorkspace(fresh=False),), None),
        (SessionState.PENDING, Clone(running=True), (), None),
        (SessionState.PENDING, Clone(starts=(ago(3),)), (CloneWorkspace(fresh=False),), None),
        (SessionState.PENDING, Clone(starts=(*DIED[:4], ago(0.1))), (), pytest.approx(0.4)),
        (SessionState.FAILED, Clone(starts=DIED), (CloneWorkspace(fresh=True),), None),
    ],
)
def test_what_is_to_be_cloned_is_waited_for(
    state: SessionState, clone: Clone, actions: tuple[CloneWorkspace, ...], requeue: float | None
) -> None:
    verdict = workspace(observed(resource(state, WITH_GIT), clone=clone), NOW)
    assert verdict is not None
    assert (verdict.state, verdict.message) == (SessionState.PENDING, "Cloning https://h/a.")
    assert (verdict.actions, verdict.requeue) == (actions, requeue)


@pytest.mark.parametrize(
    ("clone", "message"),
    [
        (Clone(problem="It has no branch x: change the ref."), "It has no branch x: change the ref. "),
        (Clone(starts=DIED, logs="/l"), "The clone ended 12 times without a word: see /l. "),
    ],
)
def test_a_clone_that_failed(clone: Clone, message: str) -> None:
    verdict = workspace(observed(resource(spec=WITH_GIT), clone=clone), NOW)
    assert verdict is not None
    assert (verdict.state, verdict.failed_anew, verdict.actions) == (SessionState.FAILED, True, ())
    assert verdict.message == f"{message}{ADVICE}"


def test_a_session_that_runs_is_not_cloned() -> None:
    assert workspace(observed(resource(spec=WITH_GIT), runtime=RUNNING, clone=Clone()), NOW) is None


def test_the_condition_tells_how_far_it_is() -> None:
    def ready(seen: Observed) -> tuple[str, str, str]:
        found = mirrored(seen, "WorkspaceReady")
        return found.status, found.reason, found.message

    session = resource(spec=WITH_GIT)
    assert ready(observed(session, clone=Clone())) == ("False", "NotCloned", "")
    assert ready(observed(session, clone=Clone(running=True))) == ("False", "Cloning", "")
    assert ready(observed(session, clone=Clone(problem="No."))) == ("False", "CloneFailed", "No.")
    hindered = Runtime(launcher=True, agent=True, obstacle=Obstacle("workspace", "CloneFailed", "No.", final=True))
    assert ready(observed(session, runtime=hindered)) == ("False", "CloneFailed", "No.")
    assert ready(observed(session, report(), runtime=RUNNING)) == ("True", "Found", "")


def test_what_failed_stays_said_when_the_pod_that_told_it_is_gone() -> None:
    said = {"type": "WorkspaceReady", "status": "False", "reason": "CloneFailed", "message": "No."}
    session = resource(SessionState.FAILED, WITH_GIT, conditions=[{**said, "lastTransitionTime": ago(9)}])
    assert mirrored(observed(session), "WorkspaceReady").message == "No."


def mirrored(seen: Observed, kind: str) -> Condition:
    [write] = [action for action in decide(seen, NOW).actions if isinstance(action, WriteStatus)]
    found = find(write.status.conditions, kind)
    assert found is not None
    return found
