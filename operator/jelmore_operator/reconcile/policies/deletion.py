"""Deletion: the CLI ends cleanly, the log gets its rest, `session.terminated` closes it, then it goes."""

from datetime import datetime, timedelta

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    CloseCommands,
    ForgetResource,
    KillRuntime,
    PublishState,
    PublishTerminated,
    StopReason,
    Verdict,
)
from jelmore_operator.reconcile.policies.description import described
from jelmore_operator.reconcile.winding import wind_down

#: Seconds from the deletion to the end of all patience: a resource that hangs for ever is worse than a log
#: without its last lines.
LIMIT = 60.0
#: Seconds past the limit for what was killed to be gone; then its host is taken for lost, and not waited for.
HOST_LOST = 15.0

_LOST = f"Not all that the session said reached its log within {LIMIT:.0f} s of the deletion."


def deletion(observed: Observed, now: datetime) -> Verdict | None:
    asked = observed.resource.metadata.deletion_timestamp
    if asked is None:
        return None
    limit = asked + timedelta(seconds=LIMIT)
    deadline = min(limit, observed.shutdown_by) if observed.shutdown_by else limit
    winding = wind_down(observed, now, StopReason.DELETED, deadline)
    if not winding.done and now < limit + timedelta(seconds=HOST_LOST):
        # Whoever is killed is not seen to go where nothing happens any more.
        late = HOST_LOST if now >= limit else None
        return Verdict("Deleting", winding.actions, requeue=winding.requeue or late)
    if not observed.drained and now < limit:
        left = (limit - now).total_seconds()
        return Verdict("Deleting", requeue=left)  # what is left of its log is published at the next start
    return _end(observed, late=now >= limit)


def _end(observed: Observed, late: bool) -> Verdict:
    message = " ".join(filter(None, (None if observed.drained else _LOST, observed.kept))) or None
    kill = (KillRuntime(),) if observed.runtime.alive else ()
    end = (
        *kill,
        *described(observed),
        PublishState(SessionState.TERMINATED, message),
        PublishTerminated(StopReason.DELETED),
        CloseCommands(),
        ForgetResource(),
    )
    return Verdict("Terminated", end, SessionState.TERMINATED, message, insist=not late)
