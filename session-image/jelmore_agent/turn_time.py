"""A turn that works for too long: interrupted, so that the session goes on. Waiting for people does not count."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from jelmore_agent import facts
from jelmore_agent.fold_state import FoldState
from jelmore_agent.next_action import Note, WakeAt
from jelmore_contract.agent_config import Live
from jelmore_contract.events import rfc3339
from jelmore_contract.states import SessionState


def time_out_turn(live: Live, fold: FoldState, now: datetime) -> Iterator[Note | WakeAt]:
    """Notes when Claude begins and ceases to work, since no line of the CLI has a time."""
    clock = fold.clock
    if live.turn_timeout is None or clock.over:
        return
    works = fold.state is SessionState.ACTIVE
    if works != (clock.since is not None):
        if works or fold.state is SessionState.WAITING_INPUT:
            yield Note(facts.TurnClock(rfc3339(now), works))
        return
    if clock.since is None:
        return
    left = timedelta(seconds=live.turn_timeout - clock.worked)
    until = datetime.fromisoformat(clock.since) + left
    if now < until:
        yield WakeAt(until)
        return
    message = f"The turn worked for {live.turn_timeout} s (lifecycle.turnTimeout) and was interrupted."
    yield Note(facts.TurnTimedOut(rfc3339(now), message))
