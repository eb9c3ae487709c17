"""When a turn that is waited for is over, and how it ended. Pure: fed with events."""

from jelmore.events import (
    Event,
    InputChanged,
    StateChanged,
    Terminated,
    TurnCompleted,
)
from jelmore.models import TurnResult, Usage
from jelmore.text import one_line
from jelmore.values import Json, number, string
from jelmore_contract.states import TERMINAL_INPUT_STATES, InputState, SessionState

#: A session that rests takes the next prompt.
RESTING = (SessionState.IDLE, SessionState.HIBERNATED)
#: It goes on no more by itself.
ENDED = (SessionState.FAILED, SessionState.TERMINATED)
_COLUMNS = 500
_INPUT_TOKENS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def state_after(event: Event) -> str | None:
    """The session's state that an event tells; None for one that tells none."""
    match event:
        case StateChanged(payload=payload):
            return payload["to"]
        case Terminated():
            return SessionState.TERMINATED
        case _:
            return None


class Turn:
    """Over when its input is done and the session rests, or can go on no more.

    `input_id`: None for a new session's query: the first input that there is. `expected`: False where there is none,
    so that it is over as soon as the session rests. `state`: of the session before the first event. `cost_usd`: what
    Claude Code had counted before the first event.
    """

    def __init__(
        self, input_id: str | None, *, expected: bool = True, state: str | None = None, cost_usd: float = 0.0
    ) -> None:
        self._input_id = input_id
        self._done = not expected
        self._state = state
        self._counted = cost_usd
        self._seq = 0
        self._result: str | None = None
        self._usage = Usage()
        #: Whether events of this turn have come: what comes before is of another one.
        self.begun = not expected or input_id is None
        #: Why it ended badly.
        self.failure: str | None = None

    @property
    def over(self) -> bool:
        return self.dead or (self._done and self._state in RESTING)

    @property
    def dead(self) -> bool:
        """The session can go on no more."""
        return self._state in ENDED

    @property
    def result(self) -> TurnResult:
        """As far as it is known."""
        return TurnResult(text=self._result, usage=self._usage, input_id=self._input_id, seq=self._seq)

    def take(self, event: Event) -> None:
        self._seq = max(self._seq, event.seq)
        self._state = state_after(event) or self._state
        payload = dict(event.payload)
        match event:
            case InputChanged():
                self._input(payload)
            case TurnCompleted():
                self._turn(payload)
            case StateChanged() if self._state == SessionState.FAILED:
                message = one_line(string(payload, "message"), _COLUMNS)
                self.failure = f"the session failed: {message or 'jelmore show tells more'}"
            case Terminated():
                self.failure = f"the session has ended: {one_line(string(payload, 'reason'), _COLUMNS)}"
            case _:
                pass

    def _input(self, payload: Json) -> None:
        state, input_id = string(payload, "state"), string(payload, "input_id")
        if self._input_id is None and not self._done:
            self._input_id = input_id
        if input_id != self._input_id:
            return
        self.begun = True
        if state in TERMINAL_INPUT_STATES:
            self._done = True
        if state in (InputState.FAILED, InputState.CANCELLED) and self.failure is None:
            reason = one_line(string(payload, "reason"), _COLUMNS)
            self.failure = f"the input was {state}" + (f": {reason}" if reason else "")

    def _turn(self, payload: Json) -> None:
        cost = self._cost(number(payload, "cost_usd"))
        if not self.begun:
            return
        self._count(cost, payload.get("usage"))
        self._result = string(payload, "result") or None
        if payload.get("is_error") is not True:
            self.failure = None
        elif self._result is None and string(payload, "subtype") == "error_during_execution":
            self.failure = "the turn was stopped"
        else:
            self.failure = f"the turn failed: {one_line(self._result or string(payload, 'subtype'), _COLUMNS)}"

    def _cost(self, counted: float) -> float:
        """Since the last time. Claude Code counts on within a process, and begins anew in another one."""
        cost = counted - self._counted if counted >= self._counted else counted
        self._counted = counted
        return cost

    def _count(self, cost: float, usage: object) -> None:
        """A turn that a background task goes on with ends more than once."""
        told = usage if isinstance(usage, dict) else {}
        so_far = self._usage
        self._usage = Usage(
            cost_usd=so_far.cost_usd + cost,
            input_tokens=so_far.input_tokens + int(sum(number(told, name) for name in _INPUT_TOKENS)),
            output_tokens=so_far.output_tokens + int(number(told, "output_tokens")),
            turns=so_far.turns + 1,
        )
