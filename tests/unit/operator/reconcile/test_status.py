"""The status: the report, mirrored; the events that only whoever reconciles can tell."""

from datetime import UTC, datetime, timedelta

import pytest

from jelmore_contract.report import Git, Report, Usage, Waiting
from jelmore_contract.resource import SessionStatus
from jelmore_contract.states import Phase, SessionState, WaitingFor
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed, Obstacle
from jelmore_operator.reconcile.plan import (
    Action,
    PublishCreated,
    PublishState,
    StartRuntime,
    Verdict,
    WriteStatus,
)
from jelmore_operator.reconcile.policies.status import mirror, status
from tests.support.observations import (
    AT_REST,
    ENDED,
    GIVEN_UP,
    NOW,
    RUNNING,
    observed,
    report,
    resource,
    running,
    sent,
)

READY = Verdict("Ready")
PULL = Obstacle("image", "ErrImagePull", "The image x cannot be pulled.")
SINCE = "2026-01-02T03:04:00.000Z"


def test_everything_that_the_report_says_is_shown() -> None:
    said = report(
        state=SessionState.WAITING_INPUT,
        run=3,
        waiting_for=Waiting(WaitingFor.QUESTION, SINCE),
        claude_session_id="c",
        current_directory="/w",
        last_activity=SINCE,
        usage=Usage(1.5, 10, 20, 2),
        git=Git("main", "abc"),
        quota_resets_at="2026-01-03T00:00:00Z",
        message="m",
    )
    shown = mirror(observed(resource(), said, runtime=running(pod="claude-a")), READY, NOW).model_dump(mode="json")
    shown.pop("conditions")
    assert shown == {
        "state": "waiting_input",
        "waiting_for": {"kind": "question", "since": "2026-01-02T03:04:00Z"},
        "blocked": {"reason": "quota", "until": "2026-01-03T00:00:00Z"},
        "run": 3,
        "pod_name": "claude-a",
        "claude_session_id": "c",
        "current_directory": "/w",
        "last_activity": "2026-01-02T03:04:00Z",
        "usage": {"cost_usd": 1.5, "input_tokens": 10, "output_tokens": 20, "turns": 2},
        "git": {"branch": "main", "commit": "abc"},
        "message": "m",
        "observed_generation": 1,
    }


BLOCKED = [
    (None, None, None, None),
    (0.99, None, None, None),
    (1.0, None, "budget", None),
    (0.5, "2026-01-03T00:00:00Z", "quota", "2026-01-03T00:00:00+00:00"),
    (1.0, "2026-01-03T00:00:00Z", "budget", None),
    (0.5, "2026-01-02T03:04:05Z", None, None),
    (0.5, "soon", None, None),
]


@pytest.mark.parametrize(("cost", "quota", "reason", "until"), BLOCKED)
def test_what_stands_in_the_way(cost: float | None, quota: str | None, reason: str | None, until: str | None) -> None:
    said = None if cost is None else report(usage=Usage(cost_usd=cost), quota_resets_at=quota)
    seen = observed(resource(spec={"budget": {"usd": 1}}), said, runtime=RUNNING)
    shown = mirror(seen, READY, NOW)
    assert (shown.blocked.reason if shown.blocked else None) == reason
    assert (shown.blocked.until.isoformat() if shown.blocked and shown.blocked.until else None) == until
    if reason == "budget":
        assert shown.message == (
            "The session has used 1.00 of its budget of 1.00 US dollars. Raise budget.usd to go on; "
            "inputs wait until then."
        )
    if reason == "quota":
        assert decide(seen, NOW).requeue == 75355


CONDITIONS: dict[str, tuple[Observed, Verdict, dict[str, str]]] = {
    "ready": (
        observed(resource(), report(), runtime=RUNNING),
        READY,
        {"Ready": "True", "AgentConnected": "True"},
    ),
    "starting": (
        observed(resource(), report(Phase.STARTING), runtime=RUNNING),
        Verdict("Starting"),
        {"Ready": "False", "AgentConnected": "True"},
    ),
    "the agent is away": (
        observed(resource(), report(), runtime=running(agent=False)),
        Verdict("Starting"),
        {"Ready": "False", "AgentConnected": "False"},
    ),
    "the report is an earlier runtime's": (
        observed(resource(), ENDED, runtime=running(report_seq=10)),
        Verdict("Starting"),
        {"Ready": "False", "AgentConnected": "False"},
    ),
    "its credentials are missing, so far": (
        observed(resource(), runtime=running(obstacle=Obstacle("credentials", "CredentialsMissing", "Make it."))),
        Verdict("CredentialsMissing"),
        {"Ready": "False", "CredentialsReady": "False", "WorkspaceReady": "True"},
    ),
    "its volume is not there, so far": (
        observed(resource(), runtime=running(obstacle=Obstacle("workspace", "ClaimPending", "Wait."))),
        Verdict("ClaimPending"),
        {"Ready": "False", "CredentialsReady": "True", "WorkspaceReady": "False"},
    ),
    "a user of the bus of its own": (observed(resource()), READY, {"BusIdentity": "True"}),
    "one user of the bus for all": (observed(resource(), own_identity=False), READY, {"BusIdentity": "False"}),
    "ephemeral": (observed(resource(), durable=False), READY, {"Durable": "False"}),
    "failed": (
        observed(resource()),
        Verdict("CrashLoop", state=SessionState.FAILED, failed_anew=True),
        {"Stalled": "True", "Ready": "False"},
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_conditions(case: str) -> None:
    seen, verdict, wanted = CONDITIONS[case]
    shown = {c.type: c.status for c in mirror(seen, verdict, NOW).conditions}
    assert wanted.items() <= shown.items()


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = mirror(observed(resource(), report(), runtime=RUNNING), READY, NOW)
    later = NOW + timedelta(seconds=9)
    same = resource().model_copy(update={"status": first})
    second = mirror(observed(same, report(), runtime=RUNNING), READY, later)
    assert second == first
    third = mirror(observed(same, report(), runtime=running(agent=False)), Verdict("Starting"), later)
    times = {c.type: c.last_transition_time for c in third.conditions}
    assert (times["Ready"], times["WorkspaceReady"]) == (later, NOW)


def _states(actions: tuple[Action, ...]) -> list[SessionState]:
    return [action.to for action in actions if isinstance(action, PublishState)]


TOLD: dict[str, tuple[Observed, Verdict, list[SessionState]]] = {
    "the agent tells its own": (observed(resource(), report(), runtime=RUNNING), READY, []),
    "falls asleep": (
        observed(resource(SessionState.IDLE), ENDED, runtime=AT_REST),
        Verdict("Hibernated", state=SessionState.HIBERNATED),
        [SessionState.HIBERNATED],
    ),
    "wakes": (
        observed(resource(SessionState.HIBERNATED), ENDED, runtime=AT_REST),
        Verdict("Starting", state=SessionState.PENDING),
        [SessionState.PENDING],
    ),
    "begins again, after it ran and ended while nobody looked": (
        observed(resource(SessionState.PENDING), ENDED, runtime=AT_REST),
        Verdict("Starting", state=SessionState.PENDING),
        [SessionState.PENDING],
    ),
    "begins again, and its agent has not said anything yet": (
        observed(resource(SessionState.PENDING), ENDED, runtime=RUNNING),
        Verdict("Starting", state=SessionState.PENDING),
        [],
    ),
    "wakes, and its agent was killed in a turn": (
        observed(resource(SessionState.HIBERNATED), report(state=SessionState.ACTIVE), runtime=AT_REST),
        Verdict("Starting", state=SessionState.PENDING),
        [],
    ),
    "is tried again after its agent gave up": (
        observed(resource(SessionState.FAILED), GIVEN_UP, runtime=AT_REST),
        Verdict("Starting", state=SessionState.PENDING),
        [SessionState.PENDING],
    ),
    "fails": (
        observed(resource(SessionState.ACTIVE), report(state=SessionState.ACTIVE), runtime=RUNNING),
        Verdict("CrashLoop", state=SessionState.FAILED, failed_anew=True),
        [SessionState.FAILED],
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_told(case: str) -> None:
    seen, verdict, states = TOLD[case]
    assert _states(status(seen, verdict, NOW)) == states


def test_a_new_session_is_announced_before_anything_else_is_done() -> None:
    plan = decide(observed(resource(observed_generation=0)), NOW)
    assert plan.actions == (PublishCreated(), StartRuntime(fresh=True))


def test_it_is_announced_once() -> None:
    plan = decide(observed(resource(observed_generation=0), runtime=RUNNING, announced=True), NOW)
    assert plan.actions == ()


UNWRITTEN: dict[str, Observed] = {
    "its processes are being started": observed(resource(observed_generation=0), runtime=running(pod="claude-a")),
    "its agent has found the launcher": observed(
        resource(observed_generation=0),
        report(Phase.STARTING, SessionState.PENDING, current_directory="/workspace"),
        runtime=RUNNING,
    ),
}


@pytest.mark.parametrize("case", UNWRITTEN)
def test_a_status_that_says_no_more_than_an_empty_one_is_not_written(case: str) -> None:
    assert _writes(UNWRITTEN[case]) == []


WRITTEN: dict[str, tuple[Observed, SessionState]] = {
    "ready": (observed(resource(observed_generation=0), report(), runtime=RUNNING), SessionState.IDLE),
    "an obstacle": (observed(resource(observed_generation=0), runtime=running(obstacle=PULL)), SessionState.PENDING),
    "the obstacle went away": (
        observed(resource(message=PULL.message), report(Phase.STARTING, SessionState.PENDING), runtime=RUNNING),
        SessionState.PENDING,
    ),
    "it lost its agent after a turn": (
        observed(resource(SessionState.IDLE), report(Phase.STARTING, SessionState.PENDING), runtime=RUNNING),
        SessionState.PENDING,
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_status_that_says_something_is_written(case: str) -> None:
    seen, state = WRITTEN[case]
    assert [write.state for write in _writes(seen)] == [state]


def _writes(seen: Observed) -> list[SessionStatus]:
    return [action.status for action in decide(seen, NOW).actions if isinstance(action, WriteStatus)]


def test_a_deleted_session_that_was_never_looked_at_is_announced_too() -> None:
    plan = decide(observed(resource(observed_generation=0, deleted=NOW)), NOW)
    assert plan.actions[0] == PublishCreated()


def test_nothing_is_written_when_nothing_changed() -> None:
    seen = observed(resource(), report(), runtime=RUNNING)
    (write,) = decide(seen, NOW).actions
    assert isinstance(write, WriteStatus)
    stored = type(write.status).model_validate_json(write.status.model_dump_json(by_alias=True))
    same = resource().model_copy(update={"status": stored})
    assert decide(observed(same, report(), runtime=RUNNING), NOW + timedelta(seconds=5)).actions == ()


def test_the_status_is_written_before_a_sleeping_session_is_started() -> None:
    asleep = observed(resource(SessionState.HIBERNATED), ENDED, runtime=AT_REST, last_input=sent())
    kinds = [type(action) for action in decide(asleep, NOW).actions]
    assert kinds == [PublishState, WriteStatus, StartRuntime]


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (None, SessionState.ACTIVE),
        (ENDED, SessionState.ACTIVE),
        (report(state=SessionState.IDLE), SessionState.IDLE),
    ],
    ids=["no report", "the last word of a runtime", "a live report"],
)
def test_the_state_is_the_agents_while_it_has_something_to_run(last: Report | None, state: SessionState) -> None:
    seen = observed(resource(SessionState.ACTIVE), last, runtime=RUNNING)
    assert mirror(seen, Verdict("Starting"), datetime.now(UTC)).state is state
