"""What the launcher decides, and when: pure functions of what it observes. Times are seconds of one monotonic
clock.

Standard library only, like all that the launcher imports.
"""

from enum import Enum, auto
from typing import NamedTuple

RETRY_FIRST = 0.05  # after a connection that ended, or the first attempt
RETRY_MOST = 1.0
SETTLED = 1.0  # a connection that lasted so long was with an agent that took our hello
AGENT_RETURNS = 2.0  # an agent that is only being replaced is back by then
CONFIRMS = 2.0  # an agent that is there has written an exit to its disk by then


class Limits(NamedTuple):
    grace: float  # the agent's share of a stop
    orphan_timeout: float  # without an agent for so long: give up. 0: never
    min_free: int  # bytes of disk below which the CLI stands still


class Observed(NamedTuple):
    """What a decision depends on. `None` for what has not happened."""

    now: float
    run_alive: bool  # the CLI, or anything that it started, is there
    unconfirmed: bool  # an exit that no agent has on disk
    said_bye: bool
    stop_asked: float | None  # when SIGTERM came
    alone_since: float | None  # when the last settled connection ended; None while connected
    ending_since: float | None  # when the launcher began to end the CLI by itself
    quiet_since: float  # when the last run ended, or the launcher started


class Step(Enum):
    WAIT = auto()
    INTERRUPT = auto()
    CLOSE_STDIN = auto()
    TERMINATE = auto()
    KILL = auto()
    LEAVE = auto()


#: The launcher's own ending of the CLI, gentlest first. An idle CLI is gone 0.03 s after SIGINT, one in a
#: turn writes its result first. It fits the 15 s that a pod's grace period leaves beside the agent's share.
_LADDER = (
    (12.0, Step.LEAVE),  # what SIGKILL did not end (a dead disk) ends with the container
    (8.0, Step.KILL),
    (5.0, Step.TERMINATE),
    (2.0, Step.CLOSE_STDIN),
    (0.0, Step.INTERRUPT),
)


def decide(seen: Observed, limits: Limits) -> Step:
    """The step that is due now; asked again at every turn of the loop, it stays the same until the next is
    due.
    """
    if not seen.run_alive:
        return Step.LEAVE if _may_leave(seen, limits) else Step.WAIT
    if seen.ending_since is not None:
        return _rung(seen.now - seen.ending_since)
    if _must_end(seen, limits):
        return Step.INTERRUPT
    if _orphaned(seen, limits.orphan_timeout):
        return Step.CLOSE_STDIN  # the CLI finishes its turn, and says so in the spool
    return Step.WAIT


def _rung(elapsed: float) -> Step:
    return next((step for due, step in _LADDER if elapsed >= due), Step.INTERRUPT)


def _must_end(seen: Observed, limits: Limits) -> bool:
    """A stop that nobody carries out, or a CLI that goes on long after its stdin was closed for want of an
    agent.
    """
    if seen.stop_asked is not None:
        if seen.now - seen.stop_asked >= limits.grace:
            return True
        if seen.alone_since is not None:
            return seen.now - max(seen.stop_asked, seen.alone_since) >= AGENT_RETURNS
    return _orphaned(seen, 2 * limits.orphan_timeout)


def _orphaned(seen: Observed, timeout: float) -> bool:
    return timeout > 0 and seen.alone_since is not None and seen.now - seen.alone_since >= timeout


def _may_leave(seen: Observed, limits: Limits) -> bool:
    if seen.said_bye or _orphaned(seen, limits.orphan_timeout):
        return True
    if seen.stop_asked is None:
        return False
    return not seen.unconfirmed or seen.now - max(seen.stop_asked, seen.quiet_since) >= CONFIRMS


def must_pause(free: int, min_free: int, *, paused: bool, ending: bool) -> bool:
    """Whether the CLI must stand still for lack of disk (`free`, `min_free` in bytes): it would lose lines
    silently.

    It goes on only with twice the limit, so that it does not flutter. `min_free` is also the reserve from
    which a CLI that is being ended writes its last lines, hence the lower limit then.
    """
    limit = min_free // 8 if ending else min_free
    return free <= 2 * limit if paused else free < limit


def next_retry(delay: float, lasted: float) -> float:
    """Seconds to wait before connecting again, after a wait of `delay` and a connection that `lasted` so
    long.
    """
    return RETRY_FIRST if lasted >= SETTLED else min(2 * delay, RETRY_MOST)
