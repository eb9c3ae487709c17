"""Winding a runtime down: the CLI ends cleanly, then the agent publishes the rest, and only then is the
session at rest.

Not a policy but what those share that want a session without processes. It goes by what is observed alone:
a launcher that died on the way, an agent that died before it was done, a runtime that was lost whole with
lines of its spool unpublished.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jelmore_contract.states import Phase
from jelmore_operator.reconcile import backoff
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    Action,
    KillRuntime,
    RestartAgent,
    StartRuntime,
    StopReason,
    StopRuntime,
)

#: Seconds from the launcher's SIGTERM to the end of all. The agent's own steps (interrupt, result, end of
#: stdin, signals) fit well in it.
GRACE = 30.0
#: Seconds after a start in which launcher and agent find each other, at the latest.
SETTLE = 10.0
#: Seconds from the launcher's SIGTERM in which an agent that outlives its launcher publishes the rest,
#: before another pair is tried. Ending the CLI may have taken 15 of them.
ALONE = 25.0


@dataclass(frozen=True, slots=True)
class Winding:
    """done: nothing runs any more. Otherwise `actions`, then look again."""

    done: bool = False
    actions: tuple[Action, ...] = ()
    requeue: float | None = None


def wind_down(observed: Observed, now: datetime, reason: StopReason, deadline: datetime | None = None) -> Winding:
    """The next step towards a session without processes whose log is whole; past `deadline`, without
    processes.
    """
    runtime = observed.runtime
    late = deadline is not None and now >= deadline
    if not runtime.alive:
        return Winding(done=True) if late else _drain(observed, now, deadline)
    if late:
        return Winding(actions=(KillRuntime(),))
    if runtime.launcher:
        step = _stop_launcher(observed, now, reason)
    elif runtime.stopping_since is None or runtime.agent_stale or _said_all(observed):
        # The agent waits for a launcher that is gone, or knows nothing of the end: what it has not
        # published, a new pair will.
        step = Winding(actions=(KillRuntime(),))
    else:
        step = _publishing(runtime.stopping_since, now)
    return Winding(False, step.actions, _soonest(step.requeue, deadline, now))


def _said_all(observed: Observed) -> bool:
    report = observed.own_report
    return report is not None and report.phase in (Phase.ENDED, Phase.FAILED) and report.drained


def _publishing(since: datetime, now: datetime) -> Winding:
    """The launcher is gone and the agent publishes the rest. If that takes long, it may never have heard of
    the end: what it has published stays, and another pair goes on.
    """
    left = (since + timedelta(seconds=ALONE) - now).total_seconds()
    return Winding(requeue=left) if left > 0 else Winding(actions=(KillRuntime(),))


def _drain(observed: Observed, now: datetime, deadline: datetime | None) -> Winding:
    """Nothing runs. Lines that were spooled but not published need a runtime once more, which is stopped as
    soon as it is there. When all sessions go, they wait on disk.
    """
    starts = observed.runtime.starts
    if observed.drained or observed.shutdown_by is not None or backoff.crash_loop(starts, now):
        return Winding(done=True)
    pause = backoff.wait(starts, now)
    if pause:
        return Winding(requeue=_soonest(pause, deadline, now))
    return Winding(actions=(StartRuntime(fresh=False),), requeue=_soonest(None, deadline, now))


def _stop_launcher(observed: Observed, now: datetime, reason: StopReason) -> Winding:
    runtime = observed.runtime
    actions: tuple[Action, ...] = ()
    pause: float | None = None
    report = observed.own_report
    ended = report is not None and report.phase is Phase.ENDED
    if not ended and (not runtime.agent or runtime.agent_stale):
        pause = 0.0 if runtime.agent else backoff.wait(runtime.starts, now)
        if not pause and not backoff.crash_loop(runtime.starts, now):
            actions = (RestartAgent(crashed=not runtime.agent),)
    if runtime.stopping_since is None:
        if young := _too_young(observed, now):
            return Winding(actions=actions, requeue=young)
        return Winding(actions=(*actions, StopRuntime(reason)), requeue=pause or GRACE)
    left = (runtime.stopping_since + timedelta(seconds=GRACE) - now).total_seconds()
    if left <= 0:
        return Winding(actions=(KillRuntime(),))
    return Winding(actions=actions, requeue=min(left, pause) if pause else left)


def _too_young(observed: Observed, now: datetime) -> float:
    """Seconds to let a runtime that was just started find itself: a launcher that is asked to end before its
    agent is there leaves at once, and the agent never hears of it. A new run tells that they are together.
    """
    runtime, report = observed.runtime, observed.own_report
    together = report is not None and (report.run > runtime.run_before or report.phase is Phase.FAILED)
    if together or not runtime.starts:
        return 0.0
    return max(0.0, SETTLE - (now - runtime.starts[-1]).total_seconds())


def _soonest(pause: float | None, deadline: datetime | None, now: datetime) -> float | None:
    if deadline is None:
        return pause
    left = max(0.0, (deadline - now).total_seconds())
    return left if pause is None else min(pause, left)
