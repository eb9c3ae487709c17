"""Hibernate and wake: when a session rests without processes, and what brings it back."""

from datetime import datetime

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.conditions import READY, find
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import StopReason, Verdict
from jelmore_operator.reconcile.winding import wind_down

SUSPENDED = "Suspended"
HIBERNATED = "Hibernated"


def hibernation(observed: Observed, now: datetime) -> Verdict | None:
    """A suspension is stronger than any input; a shutdown of the whole environment keeps all asleep; else
    an undealt input wakes.
    """
    reason = _reason_to_rest(observed)
    if reason is None:
        return None
    winding = wind_down(observed, now, reason, observed.shutdown_by)
    word = SUSPENDED if reason is StopReason.SUSPENDED else HIBERNATED
    if not winding.done:
        asleep = observed.resource.status.state is SessionState.HIBERNATED
        state = SessionState.HIBERNATED if asleep else None
        return Verdict("Hibernating", winding.actions, state, requeue=winding.requeue)
    return Verdict(word, state=SessionState.HIBERNATED, message=_MESSAGES[word])


_MESSAGES = {
    SUSPENDED: "Suspended: set lifecycle.suspend to false to go on.",
    HIBERNATED: None,
}


def _reason_to_rest(observed: Observed) -> StopReason | None:
    if observed.resource.spec.lifecycle.suspend:
        return StopReason.SUSPENDED
    if observed.shutdown_by is not None:
        return StopReason.SHUTDOWN
    if observed.resource.status.state is SessionState.HIBERNATED and not wanted(observed):
        return StopReason.HIBERNATED
    return None


def wanted(observed: Observed) -> bool:
    """Whether a hibernated session has something to do."""
    ready = find(observed.resource.status.conditions, READY)
    if ready is not None and ready.reason == SUSPENDED:
        return True  # and it is suspended no longer
    if not observed.drained:
        return True  # the log lacks what the session said before a crash
    report = observed.report.report if observed.report else None
    if report is None:
        return observed.resource.spec.query is not None or observed.last_input is not None
    undealt = observed.last_input is not None and observed.last_input.seq > report.command_seq
    return undealt or report.open_inputs > 0
