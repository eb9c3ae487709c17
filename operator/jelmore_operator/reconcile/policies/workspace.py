"""Workspace: a session whose workspace is not there is not started. One that runs is left alone."""

from datetime import datetime

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile import backoff
from jelmore_operator.reconcile.observed import Clone, Observed
from jelmore_operator.reconcile.plan import CloneWorkspace, Verdict
from jelmore_operator.reconcile.policies.failure import ADVICE


def workspace(observed: Observed, now: datetime) -> Verdict | None:
    if observed.runtime.alive:
        return None
    clone = observed.clone
    problem = observed.workspace_problem or (clone.problem if clone is not None else None)
    if problem is not None:
        return _failed(problem)
    return _cloning(observed, clone, now) if clone is not None else None


def _cloning(observed: Observed, clone: Clone, now: datetime) -> Verdict:
    if clone.running:
        return Verdict("Cloning", (), SessionState.PENDING, observed.cloning)
    fresh = observed.resource.status.state is SessionState.FAILED
    if not fresh and backoff.crash_loop(clone.starts, now):
        return _failed(f"The clone ended {backoff.recent(clone.starts, now)} times without a word: see {clone.logs}.")
    pause = 0.0 if fresh else backoff.wait(clone.starts, now)
    actions = () if pause else (CloneWorkspace(fresh),)
    return Verdict("Cloning", actions, SessionState.PENDING, observed.cloning, requeue=pause or None)


def _failed(problem: str) -> Verdict:
    return Verdict("WorkspaceNotReady", (), SessionState.FAILED, f"{problem} {ADVICE}", failed_anew=True)
