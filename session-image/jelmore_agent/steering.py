"""What the agent does next: a pure decision over what it knows, taken again whenever anything changes.

Nothing here depends on having seen an event: the fold tells what the session's disk says, the view what the launcher
says now.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from jelmore_agent import facts, protocol
from jelmore_agent.fold_state import ANSWER, REFUSAL, FoldState
from jelmore_agent.next_action import (
    Action,
    CloseStdin,
    Confirm,
    Finish,
    Leave,
    Note,
    Signal,
    Start,
    WakeAt,
    Write,
)
from jelmore_agent.turn_time import time_out_turn
from jelmore_agent.view import View
from jelmore_contract.agent_config import AgentConfig, Live
from jelmore_contract.events import rfc3339
from jelmore_contract.states import Phase, SessionState

#: Runs that may end by themselves in a row, no turn finished between them, until the session is given up.
MOST_FAILURES = 5
# Seconds of each step of a clean end: an interrupted turn's result, the exit after stdin is closed, after SIGTERM.
_RESULT_LIMIT, _CLOSE_LIMIT, _TERM_LIMIT = 5, 5, 5
# An interrupt that was asked for just before the end may still be on its way.
_HEAR_LIMIT = 0.5
# A launcher that lives connects again within a second.
_GONE_LIMIT = 3
SIGTERM, SIGKILL = 15, 9


def decide(config: AgentConfig, fold: FoldState, view: View, now: datetime) -> Iterator[Action]:
    """The next actions. Each changes the fold or the view, so that the decision taken again does not repeat it."""
    live = fold.live or config.live
    if view.leaving and view.stopping_since is None:
        yield Leave()
        return
    yield from _time_out(live, fold, now)
    if not view.connected:
        yield from _alone(live, fold, view, now)
        return
    yield from (Confirm(run) for run in view.exits if run < fold.run or (run == fold.run and not fold.alive))
    if fold.alive and (ended := _ended(live, fold, view, now)) is not None:
        yield ended
    elif view.stopping_since is not None:
        yield from _stop(fold, view, now, view.stopping_since)
    elif fold.phase is Phase.FAILED and not view.fresh:
        yield Finish()
    elif fold.phase is Phase.FAILED:
        yield Note(facts.Retried(rfc3339(now)))
    elif not fold.alive:
        yield _begin(fold, now)
    elif view.running is None and view.starting != fold.run:
        yield Start(fold.run, again=True)
    elif view.running == fold.run and (view.closed_since is not None or _renews(fold, live)):
        yield from _close(view, now, view.closed_since or now)
    elif view.running == fold.run:
        yield from time_out_turn(live, fold, now)
        yield from _drive(fold, view)


def _alone(live: Live, fold: FoldState, view: View, now: datetime) -> Iterator[Action]:
    """Without a launcher only an end that was asked for goes on: a launcher that was told to stop may be gone first.
    When this agent is told to end, too, it will not come back.
    """
    if view.stopping_since is None or view.disconnected_since is None:
        return
    gone_at = view.disconnected_since + timedelta(seconds=_GONE_LIMIT)
    if not fold.alive:
        yield from _end(fold, now)
    elif now < gone_at and not view.leaving:
        yield WakeAt(gone_at)
    else:
        cut = live.on_interrupted == "wait"
        yield Note(facts.RunExited(rfc3339(now), lost=True, asked=True, abandoned=cut), after_spool=True)


def _end(fold: FoldState, now: datetime) -> Iterator[Action]:
    if fold.phase not in (Phase.ENDED, Phase.FAILED):
        yield Note(facts.Ended(rfc3339(now)))
    yield Finish()


def _time_out(live: Live, fold: FoldState, now: datetime) -> Iterator[Action]:
    for approval_id, approval in fold.approvals.items():
        if approval.given is not None:
            continue
        if approval.since is None:
            yield Note(facts.ApprovalSeen(rfc3339(now), approval_id))
            continue
        until = datetime.fromisoformat(approval.since) + timedelta(seconds=live.approval_timeout)
        yield Note(facts.ApprovalTimedOut(rfc3339(now), approval_id)) if now >= until else WakeAt(until)


def _ended(live: Live, fold: FoldState, view: View, now: datetime) -> Action | None:
    """The end of the run that is noted as alive, where the launcher tells of one."""
    asked = view.stopping_since is not None or view.closed_since is not None
    cut = live.on_interrupted == "wait"
    if (seen := view.exits.get(fold.run)) is not None:
        fact = facts.RunExited(rfc3339(now), seen.code, seen.signal, seen.stderr, asked=asked, abandoned=cut)
        return Note(fact, after_spool=True)
    if (why := view.refused.get(fold.run)) is not None:
        return Note(facts.RunExited(rfc3339(now), stderr=why, asked=asked, abandoned=cut), after_spool=True)
    never_started = fold.offset == 0 and not asked
    if view.running is None and view.starting != fold.run and not never_started:
        return Note(facts.RunExited(rfc3339(now), lost=True, asked=asked, abandoned=cut), after_spool=True)
    return None


def _begin(fold: FoldState, now: datetime) -> Action:
    if fold.failures >= MOST_FAILURES:
        said = (
            f"Claude Code ended {fold.failures} times in a row without finishing a turn. {fold.message or ''}".strip()
        )
        return Note(facts.GivenUp(rfc3339(now), f"{said} Mend what it names, then retry the session."))
    # The first new run comes at once, the next ones after 1, 2, 4 … seconds.
    wait = timedelta(seconds=2 ** (fold.failures - 2) if fold.failures > 1 else 0)
    since = datetime.fromisoformat(fold.last_exit) if fold.last_exit else now
    return WakeAt(since + wait) if now < since + wait else Start(fold.run + 1)


def _drive(fold: FoldState, view: View) -> Iterator[Action]:
    """A live CLI: everything that it is to be told and was not told yet in this life."""
    initialize = f"{protocol.OWN_REQUEST}initialize-{fold.run}"
    lines: list[tuple[str, bytes]] = [(initialize, protocol.initialize(initialize))]
    for request_id, subtype in fold.foreign.items():
        lines.append(
            (REFUSAL + request_id, protocol.refusal(request_id, f"jelmore does not serve {subtype or 'this'}"))
        )
    if fold.phase is Phase.READY:
        for request_id, request in fold.requests.items():
            lines.append((request_id, protocol.control_request(request_id, **request)))
        for approval_id, approval in fold.approvals.items():
            if approval.given is not None:
                response = protocol.permission_answer(approval.request.input, approval.given)
                lines.append((ANSWER + approval_id, protocol.answer(approval_id, response)))
        if not fold.over_budget:
            # With a turn to go on with, nothing else is begun: its result would be taken for that turn's.
            waiting = [each for each in fold.inputs.to_write() if not fold.cut or each[0] in fold.cut]
            lines += [(input_id, protocol.user_message(input_id, content)) for input_id, content in waiting]
            if fold.going_on is not None:
                lines.append((fold.going_on, protocol.user_message(fold.going_on, protocol.GO_ON)))
    yield from (Write(token, line) for token, line in lines if token not in view.in_flight)


def _renews(fold: FoldState, live: Live) -> bool:
    """Whether another CLI has to take over: one that was told another budget cannot be told a new one. Between turns,
    with nothing on its way to it.
    """
    if fold.run_budget_usd == live.budget_usd or fold.phase is not Phase.READY:
        return False
    resting = fold.state in (SessionState.IDLE, SessionState.PENDING)
    quiet = resting and not fold.in_turn and not fold.background_tasks
    return quiet and not fold.inputs.written & fold.inputs.contents.keys()


def _stop(fold: FoldState, view: View, now: datetime, since: datetime) -> Iterator[Action]:
    """A clean end. A turn that nobody interrupted is cut by SIGTERM, so that the next run finds it unfinished and
    continues it.
    """
    if not fold.alive:
        yield from _end(fold, now)
        return
    busy = fold.state in (SessionState.ACTIVE, SessionState.WAITING_INPUT)
    result_by = since + timedelta(seconds=_RESULT_LIMIT)
    kill_at = result_by + timedelta(seconds=_CLOSE_LIMIT + _TERM_LIMIT)
    cut_at = result_by if fold.interrupting else since + timedelta(seconds=_HEAR_LIMIT)
    if busy and now < cut_at:
        yield from _drive(fold, view)
        yield WakeAt(cut_at)
    elif busy and now < kill_at:
        yield from _signal_once(view, SIGTERM)
        yield WakeAt(kill_at)
    else:
        yield from _close(view, now, result_by)


def _close(view: View, now: datetime, since: datetime) -> Iterator[Action]:
    """The end of a CLI that has nothing to do, by harder means as time goes on."""
    term_at = since + timedelta(seconds=_CLOSE_LIMIT)
    kill_at = term_at + timedelta(seconds=_TERM_LIMIT)
    if now >= kill_at:
        yield from _signal_once(view, SIGKILL)
    elif now >= term_at:
        yield from _signal_once(view, SIGTERM)
        yield WakeAt(kill_at)
    else:
        if view.closed_since is None:
            yield CloseStdin()
        yield WakeAt(term_at)


def _signal_once(view: View, number: int) -> Iterator[Action]:
    if view.signalled != number:
        yield Signal(number)
