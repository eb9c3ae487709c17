"""One pass: the strongest policy that has a verdict decides, then the status follows from it."""

from datetime import datetime

from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Plan, Verdict
from jelmore_operator.reconcile.policies.credentials import credentials
from jelmore_operator.reconcile.policies.deletion import deletion
from jelmore_operator.reconcile.policies.failure import failure
from jelmore_operator.reconcile.policies.hibernation import hibernation
from jelmore_operator.reconcile.policies.run import run
from jelmore_operator.reconcile.policies.status import created, status
from jelmore_operator.reconcile.policies.workspace import workspace


def decide(observed: Observed, now: datetime) -> Plan:
    """What to do next. Doing it, or anything else that changes what is observed, calls for another pass."""
    verdict = _verdict(observed, now)
    if observed.resource.metadata.deletion_timestamp is not None:
        return Plan((*created(observed), *verdict.actions), verdict.requeue, verdict.insist)
    # The status is written before a runtime is started: written after, a crash in between would leave a
    # running session that counts as hibernated, and the next pass would stop it.
    return Plan((*status(observed, verdict, now), *verdict.actions), verdict.requeue)


def _verdict(observed: Observed, now: datetime) -> Verdict:
    return (
        deletion(observed, now)
        or failure(observed, now)
        or hibernation(observed, now)
        or workspace(observed, now)
        or credentials(observed)
        or run(observed, now)
    )
