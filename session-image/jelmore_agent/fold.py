"""The session's state as a fold over its records, and the events that each record leads to. Pure: no clock, no I/O.

The same records in the same order give the same events with the same ids: that is how the agent finds after any crash
what it still has to publish, and how a line is never told twice."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jelmore_agent import facts, protocol
from jelmore_agent.inputs import Inputs
from jelmore_agent.protocol import Json
from jelmore_agent.spool import FactRecord, LineRecord, Record
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import Encoding, EventType, encode_json
from jelmore_contract.report import Cursor, Git, Report, Usage, Waiting
from jelmore_contract.states import CLI_STATES, Decider, Decision, InputState, Phase, SessionState


class Event(NamedTuple):
    """An event before it is published. `payload`: JSON bytes."""

    cursor: Cursor
    event_type: str
    payload: bytes
    encoding: Encoding | None = None


class Emitted(NamedTuple):
    """What one record leads to. `live`: the line is a partial message. `report`: the state after it, where it
    changed.
    """

    cursor: Cursor
    events: list[Event]
    live: bytes | None = None
    changed: bool = False


@dataclass(slots=True)
class Approval:
    """A permission request that the CLI waits for."""

    request: protocol.PermissionRequest
    since: str | None = None  # when it was first seen
    given: Json | None = None  # the answer that was noted; the approval goes once it is in the CLI's stdin


@dataclass(slots=True)
class Fold:
    """Everything that the records tell. Fields named as in the report where they are in it."""

    session_id: str
    state: SessionState = SessionState.PENDING
    phase: Phase = Phase.STARTING
    run: int = 0
    alive: bool = False  # a run began and its end is not noted
    offset: int = 0  # of the run's spool
    turns: int = 0  # results seen
    in_turn: bool = False
    failures: int = 0  # runs that ended by themselves since the last finished turn
    last_exit: str | None = None  # when the last run ended
    command_seq: int = 0
    claude_session_id: str | None = None
    current_directory: str | None = None
    model: str | None = None  # set by `configure`
    permission_mode: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_seen: float = 0.0  # what the CLI last counted
    git: Git | None = None
    background_tasks: int = 0
    quota_resets_at: str | None = None
    last_activity: str | None = None
    message: str | None = None
    requires_action: bool = False
    inputs: Inputs = field(default_factory=Inputs)
    approvals: dict[str, Approval] = field(default_factory=dict)
    requests: dict[str, Json] = field(default_factory=dict)  # own control requests that are not answered yet
    foreign: dict[str, str] = field(
        default_factory=dict
    )  # the CLI's requests that the agent has no part in: id -> subtype
    _out: list[tuple[str, bytes, Encoding | None]] = field(default_factory=list)

    @property
    def turn(self) -> int:
        """Number of the turn that runs, or of the last one."""
        return self.turns + 1 if self.in_turn else self.turns

    def apply(self, record: Record) -> Emitted:
        """Takes one record in and returns what it leads to."""
        self._out = []
        live, before = None, self._visible()
        if isinstance(record, LineRecord):
            self.offset = record.end
            cursor = Cursor(record.run, record.end, 0, 0, 0)
            live = self._line(record.line)
        else:
            cursor = Cursor(record.run, record.at, 1, record.end, 0)
            self._fact(record)
        events = [Event(replace_index(cursor, n), *out) for n, out in enumerate(self._out)]
        return Emitted(events[-1].cursor if events else cursor, events, live, self._visible() != before)

    def report(self, cursor: Cursor) -> Report:
        """The report as of `cursor`."""
        return Report(
            cursor=cursor,
            run=self.run,
            phase=self.phase,
            state=self.state,
            command_seq=self.command_seq,
            open_inputs=self.inputs.open,
            background_tasks=self.background_tasks,
            drained=self.phase in (Phase.ENDED, Phase.FAILED),
            waiting_for=self._waiting(),
            claude_session_id=self.claude_session_id,
            current_directory=self.current_directory,
            last_activity=self.last_activity,
            usage=self.usage,
            git=self.git,
            quota_resets_at=self.quota_resets_at,
            message=self.message,
        )

    def _visible(self) -> tuple[object, ...]:
        """What a reader of the report would want to know at once, apart from the cursor and the time of the last
        activity.
        """
        return (
            *(self.state, self.phase, self.run, self.command_seq, self.inputs.open, self.background_tasks, self.usage),
            *(
                self.current_directory,
                self.claude_session_id,
                self.git,
                self.quota_resets_at,
                self.message,
                self._waiting(),
            ),
        )

    def _waiting(self) -> Waiting | None:
        if self.state is not SessionState.WAITING_INPUT:
            return None
        for approval in self.approvals.values():
            if approval.given is None:
                return Waiting(approval.request.kind, approval.since or self.last_activity or "")
        return None

    def _emit(self, event_type: EventType, payload: object) -> None:
        self._out.append((event_type, encode_json(payload), None))

    def _go(self, state: SessionState, **more: str) -> None:
        if state is not self.state:
            self._emit(EventType.STATE_CHANGED, {"from": self.state, "to": state, "run": self.run, **more})
            self.state = state

    def _error(self, reason: ErrorReason, message: str) -> None:
        self._emit(EventType.ERROR, {"reason": reason, "message": message})

    def _input(self, input_id: str, state: InputState, reason: str | None = None) -> None:
        if self.inputs.move(input_id, state):
            self._emit(EventType.INPUT, {"input_id": input_id, "state": state} | ({"reason": reason} if reason else {}))

    # Lines of the CLI

    def _line(self, raw: bytes) -> bytes | None:
        line = protocol.parse(raw)
        if line.type == "stream_event":
            return raw
        self._out.append((EventType.OUTPUT, line.payload, line.encoding))
        if line.frame is not None:
            if (session_id := protocol.text(line.frame, "session_id")) and line.type in ("system", "result"):
                self.claude_session_id = session_id
            handler = _LINES.get((line.type, line.subtype)) or _LINES.get((line.type, None))
            if handler is not None:
                handler(self, line.frame)
        if self.requires_action and not (line.type == "control_request" or line.subtype == "session_state_changed"):
            # The CLI asks for something that is no permission request (seen: never; the request comes right after the
            # state).
            self._wait("approval")
        return None

    def _wait(self, kind: str) -> None:
        self.requires_action = False
        self._go(SessionState.WAITING_INPUT, waiting_for=kind)

    def _on_state(self, frame: Json) -> None:
        state = CLI_STATES.get(protocol.text(frame, "state") or "")
        self.requires_action = state is SessionState.WAITING_INPUT
        if state is SessionState.WAITING_INPUT:
            # The permission request itself comes next and tells what is waited for; one that is open already was told.
            if (waiting := next((a for a in self.approvals.values() if a.given is None), None)) is not None:
                self._wait(waiting.request.kind)
        elif state is not None:
            self.in_turn = self.in_turn or state is SessionState.ACTIVE
            self._go(state)
            if state is SessionState.IDLE:
                self.in_turn = False

    def _on_init(self, frame: Json) -> None:
        self.in_turn = True
        self._moved_to(protocol.text(frame, "cwd"))

    def _moved_to(self, directory: str | None) -> None:
        if directory and directory != self.current_directory:
            payload = {"from": self.current_directory, "to": directory, "turn": self.turn}
            self._emit(EventType.DIRECTORY_CHANGED, payload)
            self.current_directory = directory

    def _on_shell_cwd(self, frame: Json) -> None:
        self._moved_to(protocol.text(frame, "cwd"))

    def _on_background(self, frame: Json) -> None:
        self.background_tasks = len(protocol.listing(frame, "tasks"))

    def _on_request(self, frame: Json) -> None:
        asked = protocol.permission_request(frame)
        if asked is None:
            if (request_id := protocol.text(frame, "request_id")) is not None:
                self.foreign[request_id] = protocol.text(protocol.mapping(frame, "request"), "subtype") or ""
            return
        self.approvals[asked.request_id] = Approval(asked)
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
        self._emit(EventType.APPROVAL_REQUESTED, payload)
        if self.requires_action:
            self._wait(asked.kind)

    def _on_cancel(self, frame: Json) -> None:
        self.foreign.pop(protocol.text(frame, "request_id") or "", None)
        if (approval := self.approvals.get(protocol.text(frame, "request_id") or "")) is not None:
            self._resolve(approval, Decision.CANCELLED, Decider.CLAUDE)

    def _resolve(self, approval: Approval, decision: Decision, by: Decider, message: str | None = None) -> None:
        if approval.given is None:
            payload = {"approval_id": approval.request.request_id, "decision": decision, "by": by}
            self._emit(EventType.APPROVAL_RESOLVED, payload | ({"message": message} if message else {}))
        if decision is Decision.CANCELLED:
            self.approvals.pop(approval.request.request_id, None)

    def _on_response(self, frame: Json) -> None:
        response = protocol.mapping(frame, "response")
        request_id = protocol.text(response, "request_id") or ""
        asked = self.requests.pop(request_id, None)
        if not request_id.startswith(protocol.OWN_REQUEST):
            return
        if request_id.startswith(f"{protocol.OWN_REQUEST}initialize-") and self.phase is Phase.STARTING:
            self.phase = Phase.READY
            if self.state is SessionState.PENDING:
                self._go(SessionState.IDLE)
        if asked is not None and protocol.text(response, "subtype") == "error":
            said = protocol.text(response, "error") or "no reason given"
            self._error(ErrorReason.COMMAND_REFUSED, f"Claude Code refused {asked.get('subtype')}: {said}")

    def _on_lifecycle(self, frame: Json) -> None:
        state, input_id = protocol.text(frame, "state"), protocol.text(frame, "command_uuid")
        words = {"started": InputState.STARTED, "completed": InputState.COMPLETED, "cancelled": InputState.CANCELLED}
        if input_id is not None and state in words:
            self._input(input_id, words[state])

    def _on_result(self, frame: Json) -> None:
        self.turns = self.turn if self.in_turn else self.turns + 1
        self.in_turn = False
        usage, cost = protocol.mapping(frame, "usage"), protocol.number(frame, "total_cost_usd")
        self.usage = Usage(
            # Cumulative in one conversation; `/clear` begins another, which counts from nothing.
            cost_usd=self.usage.cost_usd + (cost - self.cost_seen if cost >= self.cost_seen else cost),
            input_tokens=self.usage.input_tokens + _input_tokens(usage),
            output_tokens=self.usage.output_tokens + int(protocol.number(usage, "output_tokens")),
            turns=self.turns,
        )
        self.cost_seen = cost
        failed = frame.get("is_error") is True
        said = protocol.text(frame, "result")
        payload: Json = {"turn": self.turns, "usage": usage, "cost_usd": cost, "result": said, "is_error": failed}
        payload["subtype"] = protocol.text(frame, "subtype") or ""
        if ids := [i for i in protocol.listing(frame, "user_message_uuids") if isinstance(i, str)]:
            payload["input_ids"] = ids
        self._emit(EventType.TURN_COMPLETED, payload)
        self.failures = 0
        if failed and not (protocol.text(frame, "terminal_reason") or "").startswith("aborted"):
            self._error(ErrorReason.TURN_FAILED, said or "The turn ended with an error.")
            # The CLI itself goes on to say `cancelled`, as for a turn that was interrupted.
            for input_id in self.inputs.in_state(InputState.STARTED):
                self._input(input_id, InputState.FAILED, said)

    def _on_rate_limit(self, frame: Json) -> None:
        info = protocol.mapping(frame, "rate_limit_info")
        resets_at = info.get("resetsAt")
        self.quota_resets_at = str(resets_at) if resets_at is not None and info.get("status") == "rejected" else None
        self._emit(EventType.QUOTA, {"status": protocol.text(info, "status") or "", "resets_at": resets_at})

    # Facts of the agent's

    def _fact(self, record: FactRecord) -> None:  # noqa: C901 - one case a kind of fact
        fact = record.fact
        self.last_activity = fact.time if not isinstance(fact, facts.Written) else self.last_activity
        match fact:
            case facts.RunStarted():
                self._run_started(fact)
            case facts.RunExited():
                self._run_exited(fact)
            case facts.QueryTaken():
                self._take_input(fact.input_id, fact.content)
            case facts.CommandTaken():
                self.command_seq = max(self.command_seq, fact.seq)
                self._command(fact)
            case facts.Written():
                self._written(fact.token)
            case facts.ApprovalSeen():
                if (approval := self.approvals.get(fact.approval_id)) is not None:
                    approval.since = fact.time
            case facts.ApprovalTimedOut():
                self._answer(fact.approval_id, {"decision": "deny", "message": TIMED_OUT}, Decider.TIMEOUT)
            case facts.WorkspaceChanged():
                self._workspace_changed(fact)
            case facts.Problem():
                self._emit(EventType.ERROR, {"reason": fact.reason, "message": fact.message})
            case facts.GivenUp():
                self.message, self.phase = fact.message, Phase.FAILED
                self._error(ErrorReason.CLI_FAILED, fact.message)
                self._go(SessionState.FAILED, message=fact.message)
            case facts.Ended():
                # What it becomes now, hibernated or terminated, is told by whoever ended it.
                self.phase, self.state = Phase.ENDED, SessionState.HIBERNATED

    def _run_started(self, fact: facts.RunStarted) -> None:
        self.run, self.offset, self.alive = fact.run, 0, True
        self.phase, self.message = Phase.STARTING, None
        self.in_turn = self.requires_action = False
        self.background_tasks = 0
        self.requests.clear()
        self.foreign.clear()
        self.inputs.new_run()
        if self.state in (SessionState.HIBERNATED, SessionState.FAILED):
            self.state = SessionState.PENDING  # told by whoever started the session again
        self._go(SessionState.PENDING)
        if fact.directory and self.current_directory is None:
            self._moved_to(fact.directory)

    def _run_exited(self, fact: facts.RunExited) -> None:
        for approval in list(self.approvals.values()):
            self._resolve(approval, Decision.CANCELLED, Decider.CLAUDE)
        cut = self.state in (SessionState.ACTIVE, SessionState.WAITING_INPUT)
        how = _how(fact)
        if cut:
            self._error(ErrorReason.INTERRUPTED, f"The turn was cut: Claude Code {how}.")
        elif not fact.asked:
            self._error(ErrorReason.CLI_EXITED, f"Claude Code {how}.{_stderr(fact)}")
        self.alive = self.in_turn = self.requires_action = False
        self.phase, self.last_exit = Phase.STARTING, fact.time
        self.background_tasks = 0
        self.requests.clear()
        self.foreign.clear()
        if fact.abandoned:
            for input_id in self.inputs.in_state(InputState.STARTED):
                self._input(input_id, InputState.FAILED, "interrupted")
        if not fact.asked:
            self.failures += 1
            self.message = f"Claude Code {how}.{_stderr(fact)}"
            self._go(SessionState.PENDING)

    def _take_input(self, input_id: str, content: str | list[Any]) -> None:
        if self.inputs.add(input_id, content):
            self._emit(EventType.INPUT, {"input_id": input_id, "state": InputState.QUEUED})

    def _command(self, fact: facts.CommandTaken) -> None:
        payload, request_id = fact.payload, f"{protocol.OWN_REQUEST}{fact.command}-{fact.seq}"
        if fact.problem is not None:
            self._error(ErrorReason.COMMAND_REFUSED, fact.problem)
        elif fact.command == "input":
            if self.phase is Phase.FAILED:
                # Whoever writes to a session that was given up wants it tried again.
                self.phase, self.failures = Phase.STARTING, 0
            self._take_input(payload["input_id"], payload["content"])
        elif fact.command == "answer":
            self._answer(payload["approval_id"], payload, Decider.USER)
        elif fact.command == "interrupt" and self.alive:
            self.requests[request_id] = {"subtype": "interrupt"}
        elif fact.command == "configure":
            self._configure(payload, request_id)

    def _configure(self, payload: Json, request_id: str) -> None:
        for name, subtype, argument in (
            ("model", "set_model", "model"),
            ("permission_mode", "set_permission_mode", "mode"),
        ):
            if (value := payload.get(name)) is not None:
                setattr(self, name, value)
                if self.alive:
                    self.requests[f"{request_id}-{name}"] = {"subtype": subtype, argument: value}

    def _answer(self, approval_id: str, given: Json, by: Decider) -> None:
        approval = self.approvals.get(approval_id)
        if approval is None or approval.given is not None:
            self._error(
                ErrorReason.COMMAND_REFUSED, f"Approval {approval_id} is not open: it was answered or withdrawn before."
            )
            return
        self._resolve(approval, Decision(given["decision"]), by, given.get("message"))
        approval.given = given

    def _written(self, token: str) -> None:
        if token.startswith(REFUSAL):
            self.foreign.pop(token.removeprefix(REFUSAL), None)
        elif token.startswith(ANSWER):
            self.approvals.pop(token.removeprefix(ANSWER), None)
        elif token in self.inputs.states:
            self.inputs.written.add(token)
            self._input(token, InputState.DELIVERED)

    def _workspace_changed(self, fact: facts.WorkspaceChanged) -> None:
        found, turn = fact.found, {"turn": fact.turn}
        if found["kind"] == "file":
            self._emit(EventType.FILE_MODIFIED, _pick(found, ("path", "change", "size")) | turn)
        elif found["kind"] == "git":
            told = _pick(found, ("operation", "branch", "from", "to", "message", "repository"))
            self._emit(EventType.GIT_ACTIVITY, told | turn)
            if not found["repository"] and found["operation"] not in _BESIDE_HEAD:
                self.git = Git(found["branch"], found["to"])


#: Tokens of the lines that answer the CLI's requests, before the request's id.
ANSWER = "answer:"
REFUSAL = "refusal:"
TIMED_OUT = "Nobody answered in time, so this was denied."

# Operations of git that leave the checked-out commit where it is.
_BESIDE_HEAD = ("branch", "fetch", "push", "tag", "stash")

_LINES: dict[tuple[str, str | None], Callable[[Fold, Json], None]] = {
    ("system", "session_state_changed"): Fold._on_state,
    ("system", "init"): Fold._on_init,
    ("system", "shell_cwd"): Fold._on_shell_cwd,
    ("system", "background_tasks_changed"): Fold._on_background,
    ("control_request", None): Fold._on_request,
    ("control_cancel_request", None): Fold._on_cancel,
    ("control_response", None): Fold._on_response,
    ("command_lifecycle", None): Fold._on_lifecycle,
    ("result", None): Fold._on_result,
    ("rate_limit_event", None): Fold._on_rate_limit,
}


def fold_all(fold: Fold, records: Iterable[Record]) -> Iterator[Emitted]:
    for record in records:
        yield fold.apply(record)


def replace_index(cursor: Cursor, index: int) -> Cursor:
    return Cursor(cursor.run, cursor.offset, cursor.source, cursor.fact, index)


def _pick(found: Json, names: tuple[str, ...]) -> Json:
    return {name: found.get(name) for name in names}


def _input_tokens(usage: Json) -> int:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(int(protocol.number(usage, name)) for name in names)


def _how(fact: facts.RunExited) -> str:
    if fact.lost:
        return "was lost with its launcher"
    if fact.signal is not None:
        return f"was ended by signal {fact.signal}"
    return f"exited with code {fact.code}"


def _stderr(fact: facts.RunExited) -> str:
    return f" It said: {fact.stderr.strip()[-500:]}" if fact.stderr.strip() else ""
