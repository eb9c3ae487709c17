"""The agent's report: where it stands, on `jelmore.agent.<namespace>.<session_id>`, one message a session.

It is stored atomically with the events that led to it (each replaces the one before), so that whoever reconciles
reads the last one and needs no history, and so that the agent finds where it stopped publishing. Its subject has one
writer: a stale last sequence there tells a zombie.
"""

import msgspec

from jelmore_contract.agent_config import Live
from jelmore_contract.states import Phase, SessionState, WaitingFor


class Cursor(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Place of an event in the order in which a session's disk tells it. Ordered by its fields.

    run: number of the CLI's run. offset: bytes of the spool read up to and with the record. source: 0 the spool, 1
    the agent's facts (a fact comes after the line that ended at its offset). fact: byte offset of the end of the fact
    in its file, 0 for a line. index: the events of one record are numbered from 0.
    """

    run: int
    offset: int
    source: int
    fact: int
    index: int

    def event_id(self, session_id: str, kind: str) -> str:
        """The deterministic id: (session, run, file, byte offset, kind)."""
        file, place = ("facts", self.fact) if self.source else ("jsonl", self.offset)
        return f"{session_id}/{self.run}/{file}/{place}/{self.index}/{kind}"

    @classmethod
    def of_line(cls, event_id: str) -> "Cursor":
        """The place that the id of a line's event names. Raises ValueError for the id of anything else."""
        _, run, file, offset, index, _ = event_id.split("/")
        if file != "jsonl":
            raise ValueError(f"not the id of a line's event: {event_id!r}")
        return cls(int(run), int(offset), 0, 0, int(index))


ORIGIN = Cursor(0, 0, 0, 0, 0)


class Waiting(msgspec.Struct, frozen=True, rename="camel"):
    kind: WaitingFor
    since: str


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0


class Git(msgspec.Struct, frozen=True, rename="camel"):
    branch: str | None = None
    commit: str | None = None


class Report(msgspec.Struct, rename="camel", omit_defaults=True):
    """`offset`s and `seq`s are exact; the rest is what the resource's status shows."""

    cursor: Cursor
    run: int
    phase: Phase
    state: SessionState
    command_seq: int = 0  # the last command that was dealt with
    open_inputs: int = 0  # inputs that are in no terminal state yet
    background_tasks: int = 0
    drained: bool = False  # with phase ended or failed: nothing is left to publish
    waiting_for: Waiting | None = None
    claude_session_id: str | None = None
    current_directory: str | None = None
    last_activity: str | None = None
    usage: Usage = Usage()
    git: Git | None = None
    quota_resets_at: str | None = None
    live: Live | None = None  # what the agent goes by; None of an agent that says nothing of it
    message: str | None = None
