"""What the agent can do next, one at a time: what `steering` decides and `session` carries out."""

from dataclasses import dataclass
from datetime import datetime

from jelmore_agent import facts


@dataclass(frozen=True, slots=True)
class Note:
    """Write a fact down. `after_spool`: read the spool to its end first."""

    fact: facts.Fact
    after_spool: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start the CLI for a run that is noted already (`again`) or is to be noted."""

    run: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    token: str
    line: bytes


@dataclass(frozen=True, slots=True)
class CloseStdin:
    pass


@dataclass(frozen=True, slots=True)
class Signal:
    number: int


@dataclass(frozen=True, slots=True)
class Confirm:
    run: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything is done: say goodbye to the launcher once the log has it all, and exit."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Exit once the log has what is on disk, without an end of the session."""


@dataclass(frozen=True, slots=True)
class WakeAt:
    moment: datetime


type Action = Note | Start | Write | CloseStdin | Signal | Confirm | Finish | Leave | WakeAt
