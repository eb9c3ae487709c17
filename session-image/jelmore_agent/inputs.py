"""The inputs of a session: each runs once, however often it or anything else dies on the way."""

from typing import Any

from jelmore_contract.states import TERMINAL_INPUT_STATES, InputState

type Content = str | list[dict[str, Any]]

# An input only goes forward; a run that begins anew sends again what has no terminal state, which is no step back to
# tell of.
_ORDER = {state: place for place, state in enumerate(InputState)}


class Inputs:
    """Every input by its id. The content is kept until the input is done."""

    def __init__(self) -> None:
        self.states: dict[str, InputState] = {}
        self.contents: dict[str, Content] = {}
        self.written: set[str] = set()  # in this run
        self.held: set[str] = set()  # in this run: written, and given back without having run

    @property
    def open(self) -> int:
        return len(self.contents)

    def add(self, input_id: str, content: Content) -> bool:
        """False for one that was there before: the same input sent again is the same input."""
        if input_id in self.states:
            return False
        self.states[input_id] = InputState.QUEUED
        self.contents[input_id] = content
        return True

    def move(self, input_id: str, state: InputState) -> bool:
        """Whether this is a step forward of a known input."""
        current = self.states.get(input_id)
        if current is None or current in TERMINAL_INPUT_STATES or _ORDER[state] <= _ORDER[current]:
            return False
        self.states[input_id] = state
        if state in TERMINAL_INPUT_STATES:
            self.contents.pop(input_id, None)
        return True

    def in_state(self, state: InputState) -> list[str]:
        return [input_id for input_id, current in self.states.items() if current is state]

    def new_run(self) -> None:
        self.written.clear()
        self.held.clear()

    def hold(self) -> None:
        """What was started did not run, and waits to be written again."""
        for input_id in self.in_state(InputState.STARTED):
            self.held.add(input_id)
            self.written.discard(input_id)

    def to_write(self) -> list[tuple[str, Content]]:
        """What this run's CLI has not been given yet, oldest first."""
        return [(input_id, content) for input_id, content in self.contents.items() if input_id not in self.written]
