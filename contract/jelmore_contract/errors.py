"""Why things fail, in words that are the same in events (`session.error`), REST problem documents and status
messages.
"""

from enum import StrEnum


class ErrorReason(StrEnum):
    """`reason` of `session.error`."""

    INTERRUPTED = "interrupted"  # the CLI was lost in the middle of a turn
    CLI_EXITED = "cli_exited"  # the CLI ended by itself, between turns
    CLI_FAILED = "cli_failed"  # the CLI cannot be started or kept running
    TURN_FAILED = "turn_failed"  # the turn ended with an error of the model's API, or at budget.turns
    TURN_TIMEOUT = "turn_timeout"  # the turn worked longer than lifecycle.turnTimeout
    BUDGET = "budget"  # the turn ended because the session has used budget.usd
    COMMAND_REFUSED = "command_refused"  # a command on the bus was malformed or cannot be carried out
    WORKSPACE = "workspace"  # files or git cannot be followed fully
    DIFF = "diff"  # what turns change cannot be told as a diff
    DISK_FULL = "disk_full"  # the CLI is paused until there is room


class ProblemType(StrEnum):
    """Last part of a problem document's `type` (RFC 9457)."""

    INVALID_REQUEST = "invalid-request"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    SESSION_ENDED = "session-ended"
    NOT_ACCEPTABLE = "not-acceptable"
    TOO_LARGE = "too-large"
    FORBIDDEN_ORIGIN = "forbidden-origin"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    WORKSPACE_NOT_ALLOWED = "workspace-not-allowed"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
