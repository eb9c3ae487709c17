"""What a running agent goes by, and how it hears of a change: by a command, sent when it differs from the spec."""

from jelmore_contract.agent_config import Live
from jelmore_contract.resource import SessionSpec, seconds
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, Configure


def live_settings(spec: SessionSpec) -> Live:
    timeout = spec.lifecycle.turn_timeout
    return Live(
        model=spec.model,
        permission_mode=spec.permission_mode,
        approval_timeout=seconds(spec.approvals.timeout),
        turn_timeout=seconds(timeout) if timeout is not None else None,
        on_interrupted=spec.lifecycle.on_interrupted,
        budget_usd=spec.budget.usd,
    )


def configured(observed: Observed) -> tuple[Action, ...]:
    """A command that the agent has not heard of yet is on its way, and not sent again."""
    report, wanted = observed.own_report, live_settings(observed.resource.spec)
    if report is None or report.live is None:
        return ()
    sent = observed.last_configure
    goes_by = sent.live if sent is not None and sent.seq > report.command_seq else report.live
    return () if goes_by == wanted else (Configure(wanted),)
