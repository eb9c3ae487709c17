"""Expiry: a session that was terminated or failed so long ago is deleted, log aside."""

from datetime import datetime, timedelta

from jelmore_contract.resource import STALLED, seconds
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.conditions import READY, TERMINATED, find
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import DeleteResource, Verdict
from jelmore_operator.reconcile.policies.failure import tried_again


def expiry(observed: Observed, now: datetime) -> Verdict | None:
    end = expiry_end(observed)
    if end is None or now < end:
        return None
    status = observed.resource.status
    ready = find(status.conditions, READY)
    return Verdict(ready.reason if ready else "Finished", (DeleteResource(),), status.state, status.message)


def expiry_end(observed: Observed) -> datetime | None:
    limit, status = observed.resource.spec.lifecycle.ttl_after_finished, observed.resource.status
    since = find(status.conditions, TERMINATED if status.state is SessionState.TERMINATED else STALLED)
    if limit is None or since is None or tried_again(observed):
        return None
    return since.last_transition_time + timedelta(seconds=seconds(limit))
