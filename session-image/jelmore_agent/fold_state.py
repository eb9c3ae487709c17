"""What the records of a session tell, and how a step of the fold changes it and says so."""

from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

from jelmore_agent import protocol
from jelmore_agent.inputs import Inputs
from jelmore_agent.protocol import Json
from jelmore_contract.agent_config import Live
from jelmore_contract.blocked import over_budget
from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import Encoding, EventType, encode_json
from jelmore_contract.report import Cursor, Git, Report, Usage, Waiting
from jelmore_contract.states import Decider, Decision, InputState, Phase, SessionState

#: Tokens of the lines that answer the CLI's requests, before the request's id.
ANSWER = "answer:"
REFUSAL = "refusal:"


@dataclass(slots=True)
class Approval:
    """A permission request that the CLI waits for."""

    request: protocol.PermissionRequest
    since: str | None = None  # when it was first seen
    given: Json | None = None  # the answer that was noted; the approval goes once it is in the CLI's stdin


@dataclass(slots=True)
class TurnTime:
    """How long the turn has been worked on: up to `since`, and since then, unless somebody is waited for."""

    worked: float = 0.0  # seconds
    since: str | None = None
    over: bool = False  # the time-out was told


@dataclass(slots=True)
class DiffPlace:
    """What the last diff took in: a turn's end, changes of files; and its patch."""

    turn: int = 0
    changes: int = 0
    digest: str = ""


@dataclass(slots=True)
class FoldState:
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
    filed: Live | None = None  # as the agent's file has it
    live: Live | None = None  # as `configure` has left it
    run_budget_usd: float | None = None  # what the run's CLI was told
    usage: Usage = field(default_factory=Usage)
    cost_seen: float = 0.0  # what the CLI last counted
    git: Git | None = None
    background_tasks: int = 0
    quota_resets_at: str | None = None
    last_activity: str | None = None
    message: str | None = None
    file_changes: int = 0  # noted so far
    diff: DiffPlace = field(default_factory=DiffPlace)
    told: set[str] = field(default_factory=set)  # messages of problems, each of which is told once
    requires_action: bool = False
    interrupting: bool = False  # an interrupt was asked for, and the turn is not over yet
    clock: TurnTime = field(default_factory=TurnTime)
    inputs: Inputs = field(default_factory=Inputs)
    cut: set[str] = field(default_factory=set)  # inputs in whose turn a run ended
    going_on: str | None = None  # id of the line that asks the CLI to go on with that turn
    approvals: dict[str, Approval] = field(default_factory=dict)
    requests: dict[str, Json] = field(default_factory=dict)  # own control requests that are not answered yet
    foreign: dict[str, str] = field(
        default_factory=dict
    )  # the CLI's requests that the agent has no part in: id -> subtype
    out: list[tuple[str, bytes, Encoding | None]] = field(default_factory=list)

    @property
    def turn(self) -> int:
        """Number of the turn that runs, or of the last one."""
        return self.turns + 1 if self.in_turn else self.turns

    @property
    def diff_due(self) -> bool:
        """A turn that changed files is over, and what it changed was not told."""
        return not self.in_turn and self.turns > self.diff.turn and self.file_changes > self.diff.changes

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
            waiting_for=self.waiting(),
            claude_session_id=self.claude_session_id,
            current_directory=self.current_directory,
            last_activity=self.last_activity,
            usage=self.usage,
            git=self.git,
            quota_resets_at=self.quota_resets_at,
            live=self.live,
            message=self.message,
        )

    def visible(self) -> tuple[object, ...]:
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
                self.live,
                self.waiting(),
            ),
        )

    @property
    def over_budget(self) -> bool:
        return self.live is not None and over_budget(self.usage.cost_usd, self.live.budget_usd)

    def waiting(self) -> Waiting | None:
        if self.state is not SessionState.WAITING_INPUT:
            return None
        for approval in self.approvals.values():
            if approval.given is None:
                return Waiting(approval.request.kind, approval.since or self.last_activity or "")
        return None

    def emit(self, event_type: EventType, payload: object) -> None:
        self.out.append((event_type, encode_json(payload), None))

    def go(self, state: SessionState, **more: str) -> None:
        if state is not self.state:
            self.emit(EventType.STATE_CHANGED, {"from": self.state, "to": state, "run": self.run, **more})
            self.state = state

    def error(self, reason: ErrorReason, message: str) -> None:
        self.emit(EventType.ERROR, {"reason": reason, "message": message})

    def rest_if_nothing_waits(self) -> None:
        """A CLI that has just started is idle only where there is no input for it: who waits for the turn's end would
        take the moment before it for that.
        """
        ready = self.state is SessionState.PENDING and self.phase is Phase.READY
        if ready and (self.over_budget or not self.inputs.open):
            self.go(SessionState.IDLE)

    def move_input(self, input_id: str, state: InputState, reason: str | None = None) -> None:
        if self.inputs.move(input_id, state):
            self.emit(EventType.INPUT, {"input_id": input_id, "state": state} | ({"reason": reason} if reason else {}))
            self.rest_if_nothing_waits()

    def go_on(self) -> None:
        """A CLI that was given an input of a cut turn again has it in its transcript, and does nothing."""
        self.going_on = str(uuid5(NAMESPACE_OID, f"{self.session_id}/{self.run}/continue"))

    def end_cut_turn(self, state: InputState) -> None:
        for input_id in self.cut:
            self.move_input(input_id, state)
        self.cut.clear()
        self.going_on = None

    def moved_to(self, directory: str | None) -> None:
        if directory and directory != self.current_directory:
            payload = {"from": self.current_directory, "to": directory, "turn": self.turn}
            self.emit(EventType.DIRECTORY_CHANGED, payload)
            self.current_directory = directory

    def resolve(self, approval: Approval, decision: Decision, by: Decider, message: str | None = None) -> None:
        if approval.given is None:
            payload = {"approval_id": approval.request.request_id, "decision": decision, "by": by}
            self.emit(EventType.APPROVAL_RESOLVED, payload | ({"message": message} if message else {}))
        if decision is Decision.CANCELLED:
            self.approvals.pop(approval.request.request_id, None)
