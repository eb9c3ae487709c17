"""Deletion: the CLI ends cleanly, the log gets its rest, `session.terminated` closes it, then it goes."""

from datetime import datetime, timedelta

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    ForgetResource,
    PublishState,
    PublishTerminated,
    StopReason,
    Verdict,
)
from jelmore_operator.reconcile.winding import wind_down

#: Seconds from the deletion to the end of all patience: a resource that hangs for ever is worse than a log
#: without its last lines.
LIMIT = 60.0

_LOST = f"Not all that the session said reached its log within {LIMIT:.0f} s of the deletion."


def deletion(observed: Observed, now: datetime) -> Verdict | None:
    asked = observed.resource.metadata.deletion_timestamp
    if asked is None:
        return None
    limit = asked + timedelta(seconds=LIMIT)
    deadline = min(limit, observed.shutdown_by) if observed.shutdown_by else limit
    winding = wind_down(observed, now, StopReason.DELETED, deadline)
    if not winding.done:
        return Verdict("Deleting", winding.actions, requeue=winding.requeue)
    if not observed.drained and now < limit:
        left = (limit - now).total_seconds()
        return Verdict("Deleting", requeue=left)  # what is left of its log is published at the next start
    lost = None if observed.drained else _LOST
    end = (
        PublishState(SessionState.TERMINATED, lost),
        PublishTerminated(StopReason.DELETED),
        ForgetResource(),
    )
    return Verdict("Terminated", end, SessionState.TERMINATED, lost)
