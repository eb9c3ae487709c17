"""Workspace: a session whose workspace is not there is not started. One that runs is left alone."""

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Verdict
from jelmore_operator.reconcile.policies.failure import ADVICE


def workspace(observed: Observed) -> Verdict | None:
    problem = observed.workspace_problem
    if problem is None or observed.runtime.alive:
        return None
    return Verdict("WorkspaceNotReady", (), SessionState.FAILED, f"{problem} {ADVICE}", failed_anew=True)
