"""The facts that the agent noted, folded: what each changes and leads to."""

from datetime import datetime
from typing import Any

import msgspec

from jelmore_agent import facts, protocol
from jelmore_agent.facts import Fact
from jelmore_agent.fold_state import ANSWER, REFUSAL, DiffPlace, FoldState, TurnTime
from jelmore_agent.protocol import Json
from jelmore_contract.agent_config import Live
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import EventType
from jelmore_contract.report import Git
from jelmore_contract.states import Decider, Decision, InputState, Phase, SessionState

TIMED_OUT = "Nobody answered in time, so this was denied."
# Operations of git that leave the checked-out commit where it is.
_SIGKILL = 9
_BESIDE_HEAD = ("branch", "fetch", "push", "tag", "stash")


def take_fact(fold: FoldState, fact: Fact) -> None:  # noqa: C901 - one case a kind of fact
    fold.last_activity = fact.time if not isinstance(fact, facts.Written | facts.DiffMade) else fold.last_activity
    match fact:
        case facts.RunStarted():
            _run_started(fold, fact)
        case facts.RunExited():
            _run_exited(fold, fact)
        case facts.QueryTaken():
            _take_input(fold, fact.input_id, fact.content)
        case facts.ConfigTaken():
            fold.filed = fact.live
            _configure(fold, fact.live, f"{protocol.OWN_REQUEST}config-{fact.time}")
        case facts.CommandTaken():
            fold.command_seq = max(fold.command_seq, fact.seq)
            _command(fold, fact)
        case facts.Written():
            _written(fold, fact.token)
        case facts.ApprovalSeen():
            if (approval := fold.approvals.get(fact.approval_id)) is not None:
                approval.since = fact.time
        case facts.ApprovalTimedOut():
            _answer(fold, fact.approval_id, {"decision": "deny", "message": TIMED_OUT}, Decider.TIMEOUT)
        case facts.TurnClock():
            _turn_clock(fold.clock, fact)
        case facts.TurnTimedOut():
            _turn_timed_out(fold, fact)
        case facts.Retried():
            fold.phase, fold.failures, fold.message = Phase.STARTING, 0, None
        case facts.WorkspaceChanged():
            _workspace_changed(fold, fact)
        case facts.DiffMade():
            _diff_made(fold, fact)
        case facts.Problem():
            fold.told.add(fact.message)
            fold.emit(EventType.ERROR, {"reason": fact.reason, "message": fact.message})
        case facts.GivenUp():
            fold.message, fold.phase = fact.message, Phase.FAILED
            fold.error(ErrorReason.CLI_FAILED, fact.message)
            fold.go(SessionState.FAILED, message=fact.message)
        case facts.Ended():
            # What it becomes now, hibernated or terminated, is told by whoever ended it.
            fold.phase, fold.state = Phase.ENDED, SessionState.HIBERNATED


def _run_started(fold: FoldState, fact: facts.RunStarted) -> None:
    fold.run, fold.offset, fold.alive = fact.run, 0, True
    fold.run_budget_usd, fold.clock = fact.budget_usd, TurnTime()
    fold.phase, fold.message = Phase.STARTING, None
    fold.in_turn = fold.requires_action = fold.interrupting = False
    fold.background_tasks = 0
    fold.requests.clear()
    fold.foreign.clear()
    fold.inputs.new_run()
    if fold.state in (SessionState.HIBERNATED, SessionState.FAILED):
        fold.state = SessionState.PENDING  # told by whoever started the session again
    fold.go(SessionState.PENDING)
    if fact.directory and fold.current_directory is None:
        fold.moved_to(fact.directory)


def _run_exited(fold: FoldState, fact: facts.RunExited) -> None:
    for approval in list(fold.approvals.values()):
        fold.resolve(approval, Decision.CANCELLED, Decider.CLAUDE)
    cut = fold.state in (SessionState.ACTIVE, SessionState.WAITING_INPUT)
    how = _how(fact)
    if cut:
        fold.error(ErrorReason.INTERRUPTED, f"The turn was cut: Claude Code {how}.")
    elif not fact.asked:
        fold.error(ErrorReason.CLI_EXITED, f"Claude Code {how}.{_stderr(fact)}")
    if fold.in_turn:
        fold.cut.update(fold.inputs.in_state(InputState.STARTED))
    fold.alive = fold.in_turn = fold.requires_action = fold.interrupting = False
    fold.going_on = None
    fold.phase, fold.last_exit = Phase.STARTING, fact.time
    fold.background_tasks = 0
    fold.requests.clear()
    fold.foreign.clear()
    if fact.abandoned:
        for input_id in fold.inputs.in_state(InputState.STARTED):
            fold.move_input(input_id, InputState.FAILED, "interrupted")
        fold.cut.clear()
    if not fact.asked:
        fold.failures += 1
        fold.message = f"Claude Code {how}.{_stderr(fact)}"
        fold.go(SessionState.PENDING)


def _take_input(fold: FoldState, input_id: str, content: str | list[Any]) -> None:
    if fold.inputs.add(input_id, content):
        fold.emit(EventType.INPUT, {"input_id": input_id, "state": InputState.QUEUED})


def _command(fold: FoldState, fact: facts.CommandTaken) -> None:
    payload, request_id = fact.payload, f"{protocol.OWN_REQUEST}{fact.command}-{fact.seq}"
    if fact.problem is not None:
        fold.error(ErrorReason.COMMAND_REFUSED, fact.problem)
    elif fact.command == "input":
        if fold.phase is Phase.FAILED:
            # Whoever writes to a session that was given up wants it tried again.
            fold.phase, fold.failures = Phase.STARTING, 0
        _take_input(fold, payload["input_id"], payload["content"])
    elif fact.command == "answer":
        _answer(fold, payload["approval_id"], payload, Decider.USER)
    elif fact.command == "interrupt" and fold.alive:
        fold.requests[request_id] = {"subtype": "interrupt"}
        fold.interrupting = fold.state in (SessionState.ACTIVE, SessionState.WAITING_INPUT)
    elif fact.command == "configure" and fold.live is not None:
        _configure(fold, msgspec.structs.replace(fold.live, **payload), request_id)


def _configure(fold: FoldState, live: Live, request_id: str) -> None:
    """What the CLI itself must know is told to one that runs; the next one is started with it."""
    before, fold.live = fold.live, live
    if not fold.alive or before is None:
        return
    if live.model != before.model:
        fold.requests[f"{request_id}-model"] = {"subtype": "set_model", "model": live.model}
    if live.permission_mode != before.permission_mode:
        fold.requests[f"{request_id}-permission_mode"] = {
            "subtype": "set_permission_mode",
            "mode": live.permission_mode,
        }


def _turn_clock(clock: TurnTime, fact: facts.TurnClock) -> None:
    if clock.since is not None:
        since = datetime.fromisoformat(clock.since)
        clock.worked += max(0.0, (datetime.fromisoformat(fact.time) - since).total_seconds())
    clock.since = fact.time if fact.works else None


def _turn_timed_out(fold: FoldState, fact: facts.TurnTimedOut) -> None:
    fold.error(ErrorReason.TURN_TIMEOUT, fact.message)
    fold.clock.over = fold.interrupting = True
    fold.requests[f"{protocol.OWN_REQUEST}turn_timeout-{fact.time}"] = {"subtype": "interrupt"}


def _answer(fold: FoldState, approval_id: str, given: Json, by: Decider) -> None:
    approval = fold.approvals.get(approval_id)
    if approval is None or approval.given is not None:
        fold.error(
            ErrorReason.COMMAND_REFUSED, f"Approval {approval_id} is not open: it was answered or withdrawn before."
        )
        return
    fold.resolve(approval, Decision(given["decision"]), by, given.get("message"))
    approval.given = given


def _written(fold: FoldState, token: str) -> None:
    if token.startswith(REFUSAL):
        fold.foreign.pop(token.removeprefix(REFUSAL), None)
    elif token.startswith(ANSWER):
        fold.approvals.pop(token.removeprefix(ANSWER), None)
    elif token in fold.inputs.states:
        fold.inputs.written.add(token)
        fold.inputs.held.discard(token)
        fold.move_input(token, InputState.DELIVERED)


def _workspace_changed(fold: FoldState, fact: facts.WorkspaceChanged) -> None:
    found, turn = fact.found, {"turn": fact.turn}
    if found["kind"] == "file":
        fold.file_changes += 1
        fold.emit(EventType.FILE_MODIFIED, _pick(found, ("path", "change", "size")) | turn)
    elif found["kind"] == "git":
        told = _pick(found, ("operation", "branch", "from", "to", "message", "repository"))
        fold.emit(EventType.GIT_ACTIVITY, told | turn)
        if not found["repository"] and found["operation"] not in _BESIDE_HEAD:
            fold.git = Git(found["branch"], found["to"])


def _diff_made(fold: FoldState, fact: facts.DiffMade) -> None:
    """The patch itself is put in by whoever can read files."""
    if fact.digest != fold.diff.digest:
        figures = {"files": fact.files, "insertions": fact.insertions, "deletions": fact.deletions}
        fold.emit(EventType.DIFF, {"turn": fact.turn, **figures, "truncated": fact.truncated, "patch": ""})
    fold.diff = DiffPlace(fact.turn, fact.changes, fact.digest)


def _pick(found: Json, names: tuple[str, ...]) -> Json:
    return {name: found.get(name) for name in names}


def _how(fact: facts.RunExited) -> str:
    if fact.lost:
        return "was lost with its launcher"
    if fact.signal == _SIGKILL:
        return "was killed (signal 9); where that was for want of memory, raise resources.limits.memory"
    if fact.signal is not None:
        return f"was ended by signal {fact.signal}"
    return f"exited with code {fact.code}"


def _stderr(fact: facts.RunExited) -> str:
    return f" It said: {fact.stderr.strip()[-500:]}" if fact.stderr.strip() else ""
