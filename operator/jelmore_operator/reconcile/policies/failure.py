"""Failure: a failed session rests until something about it changes: its spec, an input that was sent after it failed,
or an explicit wish for another try.
"""

from datetime import datetime

from jelmore_contract.resource import STALLED
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.conditions import find
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import StopReason, Verdict
from jelmore_operator.reconcile.winding import wind_down

ADVICE = "Then retry the session or send it an input; or delete it."


def failure(observed: Observed, now: datetime) -> Verdict | None:
    if observed.resource.status.state is not SessionState.FAILED:
        return _reported(observed)
    if tried_again(observed):
        return None
    winding = wind_down(observed, now, StopReason.FAILED, observed.shutdown_by)
    status = observed.resource.status
    stalled = find(status.conditions, STALLED)
    reason = stalled.reason if stalled else "Failed"
    return Verdict(reason, winding.actions, SessionState.FAILED, status.message, requeue=winding.requeue)


def _reported(observed: Observed) -> Verdict | None:
    """The agent gave the CLI up."""
    report = observed.own_report
    if report is None or report.phase is not Phase.FAILED:
        return None
    said = report.message or "Claude Code cannot be kept running."
    return Verdict("Failed", (), SessionState.FAILED, f"{said} {ADVICE}", failed_anew=True)


def tried_again(observed: Observed) -> bool:
    """Whether a failed session is wanted once more."""
    status = observed.resource.status
    if observed.resource.metadata.generation > status.observed_generation:
        return True
    stalled = find(status.conditions, STALLED)
    if stalled is None:
        return False
    wishes = (observed.resource.metadata.retry_at, observed.last_input.at if observed.last_input else None)
    return any(wish is not None and wish > stalled.last_transition_time for wish in wishes)
