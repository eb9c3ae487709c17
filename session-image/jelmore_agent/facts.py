"""Facts: what the agent found out itself and noted before it acted on it or told of it.

They hold what no line of the CLI tells: what was asked of the session, what was written to the CLI, when a run began
and how it ended, and what happened in the workspace. `time` is the agent's clock when the fact was noted (RFC 3339,
UTC).
"""

from typing import Any

import msgspec

from jelmore_contract.agent_config import Live


class RunStarted(msgspec.Struct, tag="run_started", tag_field="kind", omit_defaults=True):
    """A run of the CLI is about to be started. `resume`: the conversation it goes on with; None for a new one.
    `budget_usd`: the session's, which this CLI is told.
    """

    time: str
    run: int
    resume: str | None = None
    directory: str | None = None
    budget_usd: float | None = None


class RunExited(msgspec.Struct, tag="run_exited", tag_field="kind", omit_defaults=True):
    """The CLI is gone. `asked`: the agent ended it. `lost`: nobody saw it go (its launcher is gone too). `abandoned`:
    a turn that was cut is not continued (`lifecycle.onInterrupted: wait`).
    """

    time: str
    code: int | None = None
    signal: int | None = None
    stderr: str = ""
    asked: bool = False
    lost: bool = False
    abandoned: bool = False


class ConfigTaken(msgspec.Struct, tag="config", tag_field="kind"):
    """The agent's file says something else than the one before."""

    time: str
    live: Live


class CommandTaken(msgspec.Struct, tag="command", tag_field="kind", omit_defaults=True):
    """A command of the log, by its sequence, with its payload as it came. `problem`: why it is refused."""

    time: str
    seq: int
    command: str
    payload: dict[str, Any]
    problem: str | None = None


class QueryTaken(msgspec.Struct, tag="query", tag_field="kind"):
    """The resource's `query`, taken as the first input."""

    time: str
    input_id: str
    content: str


class Written(msgspec.Struct, tag="written", tag_field="kind"):
    """A line is in the CLI's stdin, whole. `token`: an input's id, or what it answers: `answer:`, `refusal:` and the
    request's id.
    """

    time: str
    token: str


class ApprovalSeen(msgspec.Struct, tag="approval_seen", tag_field="kind"):
    """A permission request was first seen: its time-out counts from here."""

    time: str
    approval_id: str


class ApprovalTimedOut(msgspec.Struct, tag="approval_timed_out", tag_field="kind"):
    time: str
    approval_id: str


class TurnClock(msgspec.Struct, tag="turn_clock", tag_field="kind"):
    """Claude was seen to work on the turn, or to wait for somebody: the turn's time-out counts the time between."""

    time: str
    works: bool


class TurnTimedOut(msgspec.Struct, tag="turn_timed_out", tag_field="kind"):
    time: str
    message: str


class Retried(msgspec.Struct, tag="retried", tag_field="kind"):
    """A session that was given up was started again."""

    time: str


class WorkspaceChanged(msgspec.Struct, tag="workspace", tag_field="kind"):
    """What the workspace's watcher found, whole and in its own shape (workspace/facts.py), and the turn that it
    belongs to.
    """

    time: str
    turn: int
    found: dict[str, Any]


class DiffMade(msgspec.Struct, tag="diff", tag_field="kind"):
    """The workspace was compared with the session's start. `patch`: name of the file in the agent's folder that holds
    the patch, until the log has it. `changes`: changes of files that had been noted when the comparison began.
    """

    time: str
    turn: int
    changes: int
    files: int
    insertions: int
    deletions: int
    truncated: bool
    digest: str
    patch: str


class Problem(msgspec.Struct, tag="problem", tag_field="kind"):
    """Something that its readers should know: told as `session.error`."""

    time: str
    reason: str
    message: str


class GivenUp(msgspec.Struct, tag="given_up", tag_field="kind"):
    """The CLI cannot be kept running."""

    time: str
    message: str


class Ended(msgspec.Struct, tag="ended", tag_field="kind"):
    """The session's processes were ended as asked; a later start goes on from here."""

    time: str


type Fact = (
    RunStarted
    | RunExited
    | ConfigTaken
    | CommandTaken
    | QueryTaken
    | Written
    | ApprovalSeen
    | ApprovalTimedOut
    | TurnClock
    | TurnTimedOut
    | Retried
    | WorkspaceChanged
    | DiffMade
    | Problem
    | GivenUp
    | Ended
)


class _Entry(msgspec.Struct):
    at: int
    fact: Fact


_decoder = msgspec.json.Decoder(_Entry)


def encode_fact(at: int, fact: Fact) -> bytes:
    return msgspec.json.encode(_Entry(at, fact)) + b"\n"


def decode_fact(line: bytes) -> tuple[int, Fact]:
    entry = _decoder.decode(line)
    return entry.at, entry.fact
