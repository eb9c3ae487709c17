"""Hibernate and wake: when a session rests without processes, and what brings it back."""

from datetime import datetime, timedelta

from jelmore_contract.blocked import over_budget
from jelmore_contract.resource import seconds
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.conditions import READY, find
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import StopReason, Verdict
from jelmore_operator.reconcile.winding import wind_down

# Of the condition Ready. That it falls asleep is remembered there: it does so whatever its processes say meanwhile.
SUSPENDED = "Suspended"
HIBERNATING = "Hibernating"
HIBERNATED = "Hibernated"
_ON_THE_WAY = {
    StopReason.SUSPENDED: "Suspending",
    StopReason.SHUTDOWN: "ShuttingDown",
    StopReason.HIBERNATED: HIBERNATING,
}


def hibernation(observed: Observed, now: datetime) -> Verdict | None:
    """A suspension is stronger than any input; a shutdown of the whole environment keeps all asleep; else
    an undealt input wakes, and long idleness puts to sleep.
    """
    reason = _reason_to_rest(observed, now)
    if reason is None:
        return None
    suspended = reason is StopReason.SUSPENDED
    winding = wind_down(observed, now, reason, observed.shutdown_by)
    if not winding.done:
        asleep = observed.resource.status.state is SessionState.HIBERNATED
        state = SessionState.HIBERNATED if asleep else None
        return Verdict(_ON_THE_WAY[reason], winding.actions, state, requeue=winding.requeue)
    if suspended:
        return Verdict(SUSPENDED, state=SessionState.HIBERNATED, message=_SUSPENDED)
    return Verdict(HIBERNATED, state=SessionState.HIBERNATED)


_SUSPENDED = "Suspended: set lifecycle.suspend to false to go on."


def _reason_to_rest(observed: Observed, now: datetime) -> StopReason | None:
    if observed.resource.spec.lifecycle.suspend:
        return StopReason.SUSPENDED
    if observed.shutdown_by is not None:
        return StopReason.SHUTDOWN
    asleep = observed.resource.status.state is SessionState.HIBERNATED
    return StopReason.HIBERNATED if (_stays_asleep(observed) if asleep else _falls_asleep(observed, now)) else None


def _stays_asleep(observed: Observed) -> bool:
    if _was(observed, SUSPENDED):
        return False  # and it is suspended no longer
    # The log may lack what the session said before a crash.
    return observed.drained and not _has_work(observed)


def _falls_asleep(observed: Observed, now: datetime) -> bool:
    """It was idle for long enough; or was so before, and is on its way."""
    due = hibernation_due(observed)
    return (due is not None and now >= due) or (_was(observed, HIBERNATING) and not _has_work(observed))


def hibernation_due(observed: Observed) -> datetime | None:
    """When a session that does nothing is to hibernate, unless something comes in between."""
    after = seconds(observed.resource.spec.lifecycle.hibernate_after)
    report = observed.own_report
    if not after or report is None or report.last_activity is None or _has_work(observed):
        return None
    rests = report.phase is Phase.READY and report.state is SessionState.IDLE and not report.background_tasks
    return datetime.fromisoformat(report.last_activity) + timedelta(seconds=after) if rests else None


def _has_work(observed: Observed) -> bool:
    """Inputs that could run: none can beyond the budget."""
    spec, report = observed.resource.spec, observed.report.report if observed.report else None
    if report is None:
        return spec.query is not None or observed.last_input is not None
    undealt = observed.last_input is not None and observed.last_input.seq > report.command_seq
    return (undealt or report.open_inputs > 0) and not over_budget(report.usage.cost_usd, spec.budget.usd)


def _was(observed: Observed, word: str) -> bool:
    ready = find(observed.resource.status.conditions, READY)
    return ready is not None and ready.reason == word
