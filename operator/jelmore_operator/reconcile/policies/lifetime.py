"""Lifetime: so long after its creation a session is ended for good. Its resource and its log stay."""

from datetime import datetime, timedelta

from jelmore_contract.resource import seconds
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    CloseCommands,
    Interrupt,
    PublishState,
    PublishTerminated,
    StopReason,
    StopRuntime,
    Verdict,
)
from jelmore_operator.reconcile.winding import wind_down

_BUSY = (SessionState.ACTIVE, SessionState.WAITING_INPUT)


def lifetime(observed: Observed, now: datetime) -> Verdict | None:
    status = observed.resource.status
    if status.state is SessionState.TERMINATED:
        return Verdict("Terminated", state=SessionState.TERMINATED, message=status.message)
    end = lifetime_end(observed)
    if end is None or now < end:
        return None
    winding = wind_down(observed, now, StopReason.MAX_LIFETIME)
    if winding.done:
        return _ended(observed)
    actions = winding.actions
    if StopRuntime(StopReason.MAX_LIFETIME) in actions and _busy(observed):
        # A turn that runs ends with its result; without this it would be cut, to be continued.
        actions = (Interrupt(), *actions)
    obstacle = observed.runtime.obstacle
    return Verdict("Ending", actions, message=obstacle.message if obstacle else None, requeue=winding.requeue)


def lifetime_end(observed: Observed) -> datetime | None:
    limit = observed.resource.spec.lifecycle.max_lifetime
    if limit is None or observed.resource.status.state is SessionState.TERMINATED:
        return None
    return observed.resource.metadata.creation_timestamp + timedelta(seconds=seconds(limit))


def _busy(observed: Observed) -> bool:
    report = observed.own_report
    return report is not None and report.state in _BUSY


def _ended(observed: Observed) -> Verdict:
    message = (
        f"The session has reached its lifecycle.maxLifetime, {observed.resource.spec.lifecycle.max_lifetime}. Its log "
        "stays readable; make another session to go on."
    )
    end = (
        PublishState(SessionState.TERMINATED, message),
        PublishTerminated(StopReason.MAX_LIFETIME),
        CloseCommands(),
    )
    return Verdict("Terminated", end, SessionState.TERMINATED, message, ends=True)
