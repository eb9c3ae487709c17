"""When a turn that is waited for is over, and how it ended. Pure: fed with events."""

from jelmore.lines import Json, mapping, string
from jelmore.text import one_line
from jelmore_contract.states import TERMINAL_INPUT_STATES, InputState, SessionState

_RESTING = (SessionState.IDLE, SessionState.HIBERNATED)
_COLUMNS = 500


class Turn:
    """Over when its input is done and the session rests, or can go on no more.

    `input_id`: None for a new session's query: the first input that there is. `expected`: False where there is none,
    so that it is over as soon as the session rests. `state`: of the session before the first event.
    """

    def __init__(self, input_id: str | None, *, expected: bool = True, state: str | None = None) -> None:
        self._input_id = input_id
        self._done = not expected
        self._state = state
        #: Whether events of this turn have come: what comes before is of another one.
        self.begun = not expected or input_id is None
        #: What Claude said in the end.
        self.result: str | None = None
        #: Why it ended badly.
        self.failure: str | None = None

    @property
    def over(self) -> bool:
        ended = self._state in (SessionState.FAILED, SessionState.TERMINATED)
        return ended or (self._done and self._state in _RESTING)

    def take(self, event: Json) -> None:
        payload = mapping(event, "payload")
        match event.get("event_type"):
            case "session.input":
                self._input(payload)
            case "session.turn_completed" if self.begun:
                self._turn(payload)
            case "session.state_changed":
                self._state = string(payload, "to")
                if self._state == SessionState.FAILED:
                    message = one_line(string(payload, "message"), _COLUMNS)
                    self.failure = f"the session failed: {message or 'jelmore show tells more'}"
            case "session.terminated":
                self._state = SessionState.TERMINATED
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
        self.result = string(payload, "result") or None
        if payload.get("is_error") is not True:
            self.failure = None
        elif self.result is None and string(payload, "subtype") == "error_during_execution":
            self.failure = "the turn was stopped"
        else:
            self.failure = f"the turn failed: {one_line(self.result or string(payload, 'subtype'), _COLUMNS)}"
