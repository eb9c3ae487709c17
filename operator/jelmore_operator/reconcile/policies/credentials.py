"""Credentials: without any, the CLI would start only to say "Not logged in". A session that runs is left
alone.
"""

from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Verdict
from jelmore_operator.reconcile.policies.failure import ADVICE


def credentials(observed: Observed) -> Verdict | None:
    problem = observed.credentials_problem
    if problem is None or observed.runtime.alive:
        return None
    return Verdict("CredentialsNotReady", (), SessionState.FAILED, f"{problem} {ADVICE}", failed_anew=True)
