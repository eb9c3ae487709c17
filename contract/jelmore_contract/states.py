"""The words for where a session, an input and an approval stand. The same words in the CRD, REST, events, tables and
code.
"""

from enum import StrEnum


class SessionState(StrEnum):
    """`status.state`: one to one with the CLI's own session state, never guessed from output."""

    PENDING = "pending"
    ACTIVE = "active"
    WAITING_INPUT = "waiting_input"
    IDLE = "idle"
    HIBERNATED = "hibernated"
    FAILED = "failed"
    TERMINATED = "terminated"


#: States in which Claude Code runs, as the CLI itself names them in `session_state_changed`.
CLI_STATES = {
    "running": SessionState.ACTIVE,
    "requires_action": SessionState.WAITING_INPUT,
    "idle": SessionState.IDLE,
}


class WaitingFor(StrEnum):
    """What a session in `waiting_input` waits for."""

    APPROVAL = "approval"
    QUESTION = "question"
    PLAN = "plan"


class InputState(StrEnum):
    """An input's way: `queued` (in the log), `delivered` (in the CLI's stdin), then the CLI's own words for it."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL_INPUT_STATES = frozenset({InputState.COMPLETED, InputState.FAILED, InputState.CANCELLED})


class Decision(StrEnum):
    """How an approval ended. `cancelled`: Claude Code withdrew it (an interrupt, or the CLI was lost)."""

    ALLOW = "allow"
    DENY = "deny"
    CANCELLED = "cancelled"


class Decider(StrEnum):
    """Who ended an approval."""

    USER = "user"
    TIMEOUT = "timeout"
    CLAUDE = "claude"


class Phase(StrEnum):
    """How far the agent is with the CLI of its current run."""

    STARTING = "starting"  # the launcher or the CLI is not there yet
    READY = "ready"  # `initialize` was answered
    ENDED = "ended"  # ended as asked; nothing runs and everything is published
    FAILED = "failed"  # the CLI cannot be kept running; `message` says why
