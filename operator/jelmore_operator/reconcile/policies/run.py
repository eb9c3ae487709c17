"""Run: a session that no other policy holds back has a launcher and an agent, both alive."""

from dataclasses import replace
from datetime import datetime

from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile import backoff
from jelmore_operator.reconcile.live import configured
from jelmore_operator.reconcile.observed import Observed, Obstacle
from jelmore_operator.reconcile.plan import Action, KillRuntime, RestartAgent, StartRuntime, StopReason, Verdict
from jelmore_operator.reconcile.policies.failure import ADVICE
from jelmore_operator.reconcile.winding import wind_down

_AT_REST = (SessionState.HIBERNATED, SessionState.FAILED)


def run(observed: Observed, now: datetime) -> Verdict:
    runtime = observed.runtime
    resting = observed.resource.status.state in _AT_REST
    if runtime.stopping_since is not None and runtime.alive:
        # It was being stopped when it was wanted again: let it end, then start it.
        winding = wind_down(observed, now, StopReason.HIBERNATED)
        kept = Verdict("Starting") if runtime.obstacle is None else _kept(runtime.obstacle)
        return replace(kept, actions=winding.actions, requeue=winding.requeue)
    if runtime.launcher and runtime.agent:
        return _running(observed) if runtime.obstacle is None else _waiting(observed, runtime.obstacle)
    fresh = not runtime.alive and (resting or _ended(observed) or not runtime.starts)
    start: Action = StartRuntime(fresh) if not runtime.launcher or _ended(observed) else RestartAgent(crashed=True)
    # An end that nobody here asked for, such as an eviction's, is told by nobody else.
    state = SessionState.PENDING if resting or _ended(observed) else None
    if runtime.obstacle is not None:
        # The platform refused the last start; each try comes after a longer pause.
        return _kept(runtime.obstacle, (start,))
    if fresh:
        return Verdict("Starting", (start,), state)
    if backoff.crash_loop(runtime.starts, now):
        return _crash_looping(observed, now)
    pause = backoff.wait(runtime.starts, now)
    return Verdict("Starting", () if pause else (start,), state, requeue=pause or None)


def _waiting(observed: Observed, obstacle: Obstacle) -> Verdict:
    """Nothing of it runs yet that would be lost: what was changed to help it counts at once."""
    runtime = observed.runtime
    asked_again = runtime.outdated or observed.resource.status.state is SessionState.FAILED
    if obstacle.final and not asked_again:
        return Verdict(obstacle.reason, (), SessionState.FAILED, f"{obstacle.message} {ADVICE}", failed_anew=True)
    return _kept(obstacle, (KillRuntime(),) if runtime.outdated or obstacle.final else ())


def _kept(obstacle: Obstacle, actions: tuple[Action, ...] = ()) -> Verdict:
    return Verdict(obstacle.reason, actions, SessionState.PENDING, obstacle.message)


def _running(observed: Observed) -> Verdict:
    actions: tuple[Action, ...] = (
        (RestartAgent(crashed=False),) if observed.runtime.agent_stale else configured(observed)
    )
    report = observed.own_report
    ready = report is not None and report.phase is Phase.READY
    return Verdict("Ready" if ready else "Starting", actions, message=None if ready else observed.cloning)


def _ended(observed: Observed) -> bool:
    report = observed.own_report
    return report is not None and report.phase is Phase.ENDED


def _crash_looping(observed: Observed, now: datetime) -> Verdict:
    count = backoff.recent(observed.runtime.starts, now)
    minutes = int(backoff.WINDOW.total_seconds() // 60)
    what = f"The session's processes ended by themselves {count} times within {minutes} minutes"
    message = f"{what}: see {observed.runtime.logs}. {ADVICE}"
    return Verdict("CrashLoop", (), SessionState.FAILED, message, failed_anew=True)
