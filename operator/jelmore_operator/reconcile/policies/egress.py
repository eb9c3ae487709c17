"""Egress: what a session's pod may reach is what its spec says, as long as all of that is granted; otherwise it gets
nothing of it. A session that asks for more is not started. One that runs goes on, and says so.
"""

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, SetEgress, Verdict
from jelmore_operator.reconcile.policies.failure import ADVICE


def egress(observed: Observed) -> Verdict | None:
    problem = observed.egress_problem
    if problem is None or observed.runtime.alive:
        return None
    return Verdict("EgressNotAllowed", (), SessionState.FAILED, f"{problem} {ADVICE}", failed_anew=True)


def opened(observed: Observed) -> tuple[Action, ...]:
    return (SetEgress(),) if observed.egress_outdated else ()
