"""The lines of the CLI, folded: what each frame of its protocol changes and leads to."""

from collections.abc import Callable

from jelmore_agent import protocol
from jelmore_agent.fold_state import Approval, FoldState, TurnTime
from jelmore_agent.protocol import Json
from jelmore_contract.blocked import budget_message
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import EventType
from jelmore_contract.report import Usage
from jelmore_contract.states import CLI_STATES, Decider, Decision, InputState, Phase, SessionState

_OVER_BUDGET = "error_max_budget_usd"


def take_line(fold: FoldState, raw: bytes) -> bytes | None:
    line = protocol.parse(raw)
    if line.type == "stream_event":
        return raw
    fold.out.append((EventType.OUTPUT, line.payload, line.encoding))
    if line.frame is not None:
        if (session_id := protocol.text(line.frame, "session_id")) and line.type in ("system", "result"):
            fold.claude_session_id = session_id
        handler = _LINES.get((line.type, line.subtype)) or _LINES.get((line.type, None))
        if handler is not None:
            handler(fold, line.frame)
    if fold.requires_action and not (line.type == "control_request" or line.subtype == "session_state_changed"):
        # The CLI asks for something that is no permission request (seen: never; the request comes right after the
        # state).
        _wait(fold, "approval")
    return None


def _wait(fold: FoldState, kind: str) -> None:
    fold.requires_action = False
    fold.go(SessionState.WAITING_INPUT, waiting_for=kind)


def _on_state(fold: FoldState, frame: Json) -> None:
    state = CLI_STATES.get(protocol.text(frame, "state") or "")
    fold.requires_action = state is SessionState.WAITING_INPUT
    if state is SessionState.WAITING_INPUT:
        # The permission request itself comes next and tells what is waited for; one that is open already was told.
        if (waiting := next((a for a in fold.approvals.values() if a.given is None), None)) is not None:
            _wait(fold, waiting.request.kind)
    elif state is not None:
        fold.in_turn = fold.in_turn or state is SessionState.ACTIVE
        fold.go(state)
        if state is SessionState.IDLE:
            fold.in_turn = fold.interrupting = False
            fold.clock = TurnTime()


def _on_init(fold: FoldState, frame: Json) -> None:
    fold.in_turn = True
    fold.moved_to(protocol.text(frame, "cwd"))


def _on_shell_cwd(fold: FoldState, frame: Json) -> None:
    fold.moved_to(protocol.text(frame, "cwd"))


def _on_background(fold: FoldState, frame: Json) -> None:
    fold.background_tasks = len(protocol.listing(frame, "tasks"))


def _on_request(fold: FoldState, frame: Json) -> None:
    asked = protocol.permission_request(frame)
    if asked is None:
        if (request_id := protocol.text(frame, "request_id")) is not None:
            fold.foreign[request_id] = protocol.text(protocol.mapping(frame, "request"), "subtype") or ""
        return
    fold.approvals[asked.request_id] = Approval(asked)
    payload: Json = {
        "approval_id": asked.request_id,
        "kind": asked.kind,
        "tool_name": asked.tool_name,
        "input": asked.input,
    }
    for ours, theirs in (
        ("description", "description"),
        ("suggestions", "permission_suggestions"),
        ("tool_use_id",) * 2,
    ):
        if asked.request.get(theirs) is not None:
            payload[ours] = asked.request[theirs]
    fold.emit(EventType.APPROVAL_REQUESTED, payload)
    if fold.requires_action:
        _wait(fold, asked.kind)


def _on_cancel(fold: FoldState, frame: Json) -> None:
    fold.foreign.pop(protocol.text(frame, "request_id") or "", None)
    if (approval := fold.approvals.get(protocol.text(frame, "request_id") or "")) is not None:
        fold.resolve(approval, Decision.CANCELLED, Decider.CLAUDE)


def _on_response(fold: FoldState, frame: Json) -> None:
    response = protocol.mapping(frame, "response")
    request_id = protocol.text(response, "request_id") or ""
    asked = fold.requests.pop(request_id, None)
    if not request_id.startswith(protocol.OWN_REQUEST):
        return
    if request_id.startswith(f"{protocol.OWN_REQUEST}initialize-") and fold.phase is Phase.STARTING:
        fold.phase = Phase.READY
        fold.rest_if_nothing_waits()
    if asked is not None and protocol.text(response, "subtype") == "error":
        said = protocol.text(response, "error") or "no reason given"
        fold.error(ErrorReason.COMMAND_REFUSED, f"Claude Code refused {asked.get('subtype')}: {said}")


def _on_lifecycle(fold: FoldState, frame: Json) -> None:
    state, input_id = protocol.text(frame, "state"), protocol.text(frame, "command_uuid")
    words = {"started": InputState.STARTED, "completed": InputState.COMPLETED, "cancelled": InputState.CANCELLED}
    if state in ("started", "cancelled"):
        fold.cut.discard(input_id or "")  # it did not know it yet, and begins; or it will not
    if state == "completed" and input_id in fold.cut:
        # It knows it: that is no end of the turn that was cut. A CLI goes on with that by itself, but not where it was
        # cut a second time before the model had said anything (seen with 2.1.330).
        if not fold.in_turn:
            fold.go_on()
        return
    if input_id is not None and state in words and not (state == "cancelled" and input_id in fold.inputs.held):
        # What the CLI speaks of was delivered to it, though the launcher may not have said so yet.
        fold.move_input(input_id, InputState.DELIVERED)
        fold.move_input(input_id, words[state])


def _on_result(fold: FoldState, frame: Json) -> None:
    fold.turns = fold.turn if fold.in_turn else fold.turns + 1
    fold.in_turn = False
    usage, took = protocol.mapping(frame, "usage"), _cost(fold, frame)
    fold.usage = Usage(
        cost_usd=fold.usage.cost_usd + took,
        input_tokens=fold.usage.input_tokens + _input_tokens(usage),
        output_tokens=fold.usage.output_tokens + int(protocol.number(usage, "output_tokens")),
        turns=fold.turns,
    )
    failed = frame.get("is_error") is True
    said = protocol.text(frame, "result")
    payload: Json = {"turn": fold.turns, "usage": usage, "cost_usd": fold.usage.cost_usd, "result": said}
    payload |= {"is_error": failed, "subtype": protocol.text(frame, "subtype") or ""}
    if ids := [i for i in protocol.listing(frame, "user_message_uuids") if isinstance(i, str)]:
        payload["input_ids"] = ids
    fold.emit(EventType.TURN_COMPLETED, payload)
    fold.failures = 0
    if payload["subtype"] == _OVER_BUDGET and not took:
        # The budget was used up before, and the model was not asked: what was sent to the CLI meanwhile still waits.
        fold.inputs.hold()
        return
    if (protocol.text(frame, "terminal_reason") or "").startswith("aborted"):
        # Of an input whose turn was not cut the CLI itself goes on to say `cancelled`.
        fold.end_cut_turn(InputState.CANCELLED)
    elif failed:
        reason, why = _failure(fold, payload["subtype"], said or _first_error(frame))
        fold.error(reason, why)
        # The CLI itself goes on to say `cancelled`, as for a turn that was interrupted.
        for input_id in fold.inputs.in_state(InputState.STARTED):
            fold.move_input(input_id, InputState.FAILED, why)
        fold.end_cut_turn(InputState.FAILED)
    else:
        fold.end_cut_turn(InputState.COMPLETED)


def _cost(fold: FoldState, frame: Json) -> float:
    """What came since the last result, in US dollars. The total that the CLI tells is none of the session: after a
    clean end the next CLI counts on from it, after any other it does not, and `/clear` begins anew.
    """
    total, before = protocol.number(frame, "total_cost_usd"), fold.cost_seen
    fold.cost_seen = total
    models = frame.get("model_usage_since_last_result")
    if isinstance(models, dict):
        return sum(protocol.number(protocol.mapping(models, name), "costUSD") for name in models)
    return total - before if total >= before else total


def _failure(fold: FoldState, subtype: str, said: str | None) -> tuple[ErrorReason, str]:
    if subtype == _OVER_BUDGET and fold.run_budget_usd is not None:
        return ErrorReason.BUDGET, budget_message(fold.usage.cost_usd, fold.run_budget_usd)
    return ErrorReason.TURN_FAILED, said or "The turn ended with an error."


def _first_error(frame: Json) -> str | None:
    return next((said for said in protocol.listing(frame, "errors") if isinstance(said, str)), None)


def _on_rate_limit(fold: FoldState, frame: Json) -> None:
    info = protocol.mapping(frame, "rate_limit_info")
    resets_at = protocol.moment(info, "resetsAt")
    fold.quota_resets_at = resets_at if info.get("status") == "rejected" else None
    fold.emit(EventType.QUOTA, {"status": protocol.text(info, "status") or "", "resets_at": resets_at})


def _input_tokens(usage: Json) -> int:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(int(protocol.number(usage, name)) for name in names)


_LINES: dict[tuple[str, str | None], Callable[[FoldState, Json], None]] = {
    ("system", "session_state_changed"): _on_state,
    ("system", "init"): _on_init,
    ("system", "shell_cwd"): _on_shell_cwd,
    ("system", "background_tasks_changed"): _on_background,
    ("control_request", None): _on_request,
    ("control_cancel_request", None): _on_cancel,
    ("control_response", None): _on_response,
    ("command_lifecycle", None): _on_lifecycle,
    ("result", None): _on_result,
    ("rate_limit_event", None): _on_rate_limit,
}
