"""Conditions, as Kubernetes has them: each changes its time only when its status changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from jelmore_contract.resource import STALLED, Condition
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.observed import Observed, ObstacleKind
from jelmore_operator.reconcile.plan import Verdict

READY = "Ready"
AGENT_CONNECTED = "AgentConnected"
WORKSPACE_READY = "WorkspaceReady"
CREDENTIALS_READY = "CredentialsReady"
DURABLE = "Durable"
#: Only there where the spec asks for something.
EGRESS_READY = "EgressReady"
#: Its reason where not all of that is granted.
NOT_ALLOWED = "NotAllowed"
BUS_IDENTITY = "BusIdentity"
#: Only there once the session has been terminated; its time says since when.
TERMINATED = "Terminated"


_LONGEST = 4096
_SHARED = (
    "All sessions share one user of the bus, so that each could read and write the others' logs: set NATS up with "
    "`python -m jelmore_operator.identity`."
)


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def conditions(observed: Observed, verdict: Verdict, state: SessionState, now: datetime) -> list[Condition]:
    before = observed.resource.status.conditions
    runtime, report = observed.runtime, observed.own_report
    ready = runtime.agent and report is not None and report.phase is Phase.READY and verdict.reason == "Ready"
    connected = runtime.agent and report is not None and report.phase in (Phase.STARTING, Phase.READY)
    own = observed.own_identity
    found = [
        _condition(before, READY, ready, verdict.reason, "" if ready else verdict.message or "", now),
        _condition(before, AGENT_CONNECTED, connected, "Reporting" if connected else "NoAgent", "", now),
        _workspace(observed, verdict, state, now),
        _problem(before, CREDENTIALS_READY, observed.credentials_problem or _obstacle(observed, "credentials"), now),
        _condition(before, DURABLE, observed.durable, "Kept" if observed.durable else "Ephemeral", "", now),
        _condition(before, BUS_IDENTITY, own, "Own" if own else "Shared", "" if own else _SHARED, now),
    ]
    if observed.resource.spec.egress.allow:
        found.append(_egress(observed, now))
    if state is SessionState.FAILED:
        earlier = () if verdict.failed_anew else before
        found.append(_condition(earlier, STALLED, True, verdict.reason, verdict.message or "", now))
    if state is SessionState.TERMINATED:
        found.append(_condition(before, TERMINATED, True, verdict.reason, verdict.message or "", now))
    return found


def cut[T: str | None](message: T) -> T | str:
    """No longer than a resource may hold: the API server refuses a whole write for one message."""
    return message if message is None or len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…"


def _workspace(observed: Observed, verdict: Verdict, state: SessionState, now: datetime) -> Condition:
    before, clone = observed.resource.status.conditions, observed.clone
    obstacle = observed.runtime.obstacle
    if obstacle is not None and obstacle.kind == "workspace":
        return _condition(before, WORKSPACE_READY, False, obstacle.reason, obstacle.message, now)
    if clone is not None and observed.workspace_problem is None:
        reason = "CloneFailed" if clone.problem else "Cloning" if clone.running else "NotCloned"
        return _condition(before, WORKSPACE_READY, False, reason, clone.problem or "", now)
    last = find(before, WORKSPACE_READY)
    if last is not None and state is SessionState.FAILED and not verdict.failed_anew:
        return last  # the pod that told of it is gone: it is looked for anew with the next try
    return _problem(before, WORKSPACE_READY, observed.workspace_problem, now)


def _egress(observed: Observed, now: datetime) -> Condition:
    before, problem = observed.resource.status.conditions, observed.egress_problem
    if problem is None and observed.egress_outdated:
        return _condition(before, EGRESS_READY, False, "NotApplied", "", now)
    return _condition(before, EGRESS_READY, problem is None, NOT_ALLOWED if problem else "Applied", problem or "", now)


def _obstacle(observed: Observed, kind: ObstacleKind) -> str | None:
    obstacle = observed.runtime.obstacle
    return obstacle.message if obstacle is not None and obstacle.kind == kind else None


def _problem(before: Iterable[Condition], kind: str, problem: str | None, now: datetime) -> Condition:
    return _condition(before, kind, problem is None, "NotReady" if problem else "Found", problem or "", now)


def _condition(
    before: Iterable[Condition], kind: str, holds: bool, reason: str, message: str, now: datetime
) -> Condition:
    status: Literal["True", "False"] = "True" if holds else "False"
    last = find(before, kind)
    since = last.last_transition_time if last is not None and last.status == status else now
    return Condition(type=kind, status=status, reason=reason, message=cut(message), last_transition_time=since)
