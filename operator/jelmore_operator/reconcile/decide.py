"""One pass: the strongest policy that has a verdict decides, then the status follows from it."""

from collections.abc import Iterator
from datetime import datetime

from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Plan, Verdict
from jelmore_operator.reconcile.policies.credentials import credentials
from jelmore_operator.reconcile.policies.deletion import deletion
from jelmore_operator.reconcile.policies.egress import egress, opened
from jelmore_operator.reconcile.policies.expiry import expiry, expiry_end
from jelmore_operator.reconcile.policies.failure import failure
from jelmore_operator.reconcile.policies.hibernation import hibernation, hibernation_due
from jelmore_operator.reconcile.policies.lifetime import lifetime, lifetime_end
from jelmore_operator.reconcile.policies.run import run
from jelmore_operator.reconcile.policies.status import created, standing_in_the_way, status
from jelmore_operator.reconcile.policies.workspace import workspace


def decide(observed: Observed, now: datetime) -> Plan:
    """What to do next. Doing it, or anything else that changes what is observed, calls for another pass."""
    verdict = _verdict(observed, now)
    if observed.resource.metadata.deletion_timestamp is not None:
        return Plan((*created(observed), *verdict.actions), verdict.requeue, verdict.insist)
    requeue = _soonest(verdict.requeue, _due(observed, now), now)
    if verdict.ends:
        return Plan((*verdict.actions, *status(observed, verdict, now)), requeue)
    # The status is written before a runtime is started: written after, a crash in between would leave a
    # running session that counts as hibernated, and the next pass would stop it.
    return Plan((*status(observed, verdict, now), *opened(observed), *verdict.actions), requeue)


def _verdict(observed: Observed, now: datetime) -> Verdict:
    return (
        deletion(observed, now)
        or expiry(observed, now)
        or lifetime(observed, now)
        or failure(observed, now)
        or hibernation(observed, now)
        or workspace(observed, now)
        or credentials(observed)
        or egress(observed)
        or run(observed, now)
    )


def _due(observed: Observed, now: datetime) -> Iterator[datetime]:
    """When time alone will change what is decided."""
    block = standing_in_the_way(observed, now)
    moments = (expiry_end(observed), lifetime_end(observed), hibernation_due(observed), block.until if block else None)
    return (moment for moment in moments if moment is not None and moment > now)


def _soonest(requeue: float | None, due: Iterator[datetime], now: datetime) -> float | None:
    waits = [(moment - now).total_seconds() for moment in due]
    return min(waits if requeue is None else [requeue, *waits], default=None)
