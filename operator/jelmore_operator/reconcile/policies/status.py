"""Status: the agent's report, mirrored into the resource; one write a pass, none when nothing changed."""

from datetime import datetime

from jelmore_contract.blocked import Block, blocked
from jelmore_contract.report import Report
from jelmore_contract.resource import Blocked, GitStatus, SessionStatus, UsageStatus, WaitingForStatus
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.conditions import conditions, cut
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, PublishCreated, PublishState, Verdict, WriteStatus
from jelmore_operator.reconcile.policies.description import described

_AT_REST = (SessionState.HIBERNATED, SessionState.FAILED)
# An agent that was in one of these tells nothing of its next start.
_SILENT = (*_AT_REST, SessionState.PENDING)


def status(observed: Observed, verdict: Verdict, now: datetime) -> tuple[Action, ...]:
    """Events that only whoever reconciles can tell, then the status. Each event comes before the write that
    makes it look done.
    """
    before = observed.resource.status
    after = mirror(observed, verdict, now)
    actions: list[Action] = [*created(observed), *described(observed)]
    if _tells(observed, after.state):
        actions.append(PublishState(after.state, verdict.message))
    if after != before and not (_empty(before) and _empty(after)):
        actions.append(WriteStatus(after))
    return tuple(actions)


def _empty(status: SessionStatus) -> bool:
    """Whether it says no more than that the session is there: what every new one says, and not worth a write."""
    nothing = status.message is None and status.blocked is None and status.usage == UsageStatus()
    return status.state is SessionState.PENDING and nothing


def created(observed: Observed) -> tuple[Action, ...]:
    """A resource without any status is new."""
    new = observed.resource.status.observed_generation == 0 and not observed.announced
    return (PublishCreated(),) if new else ()


def _tells(observed: Observed, after: SessionState) -> bool:
    """Whether the change is told by whoever reconciles; the agent tells all others. An agent that ended as
    it was asked to does not tell that it is woken; one that was killed knows of no rest, and tells the
    change from the state that it had.
    """
    before = observed.resource.status.state
    report = observed.report.report if observed.report else None
    # Whoever reconciles was away while it ran and ended: the status says nothing of what the log told meanwhile. Only
    # until it runs again: from then on the agent tells.
    ended = report is not None and report.phase is Phase.ENDED and not observed.runtime.alive
    unseen = before is SessionState.PENDING and ended
    if after is before and not unseen:
        return False
    last = report.state if report else SessionState.PENDING
    return after in _AT_REST or (after is SessionState.PENDING and last in _SILENT)


def mirror(observed: Observed, verdict: Verdict, now: datetime) -> SessionStatus:
    before = observed.resource.status
    own = observed.own_report
    state = verdict.state or _reported_state(own) or before.state
    block = None if state is SessionState.TERMINATED else standing_in_the_way(observed, now)
    said = (
        verdict.message
        or (own.message if own else None)
        or (block.message if block else None)
        or observed.egress_problem
    )
    fields = before.model_copy(
        update={
            "state": state,
            "waiting_for": _waiting_for(own) if state is SessionState.WAITING_INPUT else None,
            "blocked": Blocked(reason=block.reason, until=block.until) if block else None,
            "pod_name": observed.runtime.pod,
            "message": cut(said),
            "conditions": conditions(observed, verdict, state, now),
            "observed_generation": observed.resource.metadata.generation,
        }
    )
    return fields if observed.report is None else _with_figures(fields, observed.report.report)


def standing_in_the_way(observed: Observed, now: datetime) -> Block | None:
    if observed.report is None:
        return None
    report = observed.report.report
    return blocked(report.usage.cost_usd, observed.resource.spec.budget.usd, report.quota_resets_at, now)


def _reported_state(report: Report | None) -> SessionState | None:
    """The state is the agent's word while it has something to run; its last word is about the end of a run,
    not of the session.
    """
    return report.state if report is not None and report.phase in (Phase.STARTING, Phase.READY) else None


def _waiting_for(report: Report | None) -> WaitingForStatus | None:
    if report is None or report.waiting_for is None:
        return None
    return WaitingForStatus(kind=report.waiting_for.kind, since=datetime.fromisoformat(report.waiting_for.since))


def _with_figures(fields: SessionStatus, report: Report) -> SessionStatus:
    """What stays true of a session at rest too."""
    usage, git, seen = report.usage, report.git, report.last_activity
    return fields.model_copy(
        update={
            "run": report.run,
            "claude_session_id": report.claude_session_id,
            "current_directory": report.current_directory,
            "last_activity": datetime.fromisoformat(seen) if seen else fields.last_activity,
            "usage": UsageStatus(
                cost_usd=usage.cost_usd,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                turns=usage.turns,
            ),
            "git": GitStatus(branch=git.branch, commit=git.commit) if git else None,
        }
    )
