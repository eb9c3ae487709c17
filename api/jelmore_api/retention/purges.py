"""What may be taken out of the stream, as purges: pure.

What its parts look for in the stream stays: a session's description, its states, its last report, its last line (whose
sequence the agent publishes on condition of), and the commands that nobody has dealt with. All else is only there for
whoever reads the stream itself, and PostgreSQL has it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from jelmore_contract.events import EventType
from jelmore_contract.subjects import (
    ALL_BLOBS,
    SessionKey,
    event_subject,
    report_subject,
    session_blobs,
    session_commands,
    session_events,
)

#: Whoever reconciles looks for the last of these.
_LOOKED_FOR = {EventType.CREATED, EventType.SPEC_CHANGED, EventType.STATE_CHANGED, EventType.TERMINATED}
_EVERYBODY = SessionKey("*", "*")
ALL_OUTPUT = event_subject(_EVERYBODY, EventType.OUTPUT)


class Purge(NamedTuple):
    """Messages of `subject` (a filter) with a sequence less than `below`; 0: all of them."""

    subject: str
    below: int


class Progress(NamedTuple):
    """How far a session is. output_seq: of its last line, 0 for none. command_seq: the last command that was dealt
    with, 0 for none.
    """

    key: SessionKey
    output_seq: int
    command_seq: int


def of_all(below: int) -> Iterator[Purge]:
    """What goes in the same way for every session."""
    for event_type in EventType:
        if event_type not in _LOOKED_FOR and event_type is not EventType.OUTPUT:
            yield Purge(event_subject(_EVERYBODY, event_type), below)
    yield Purge(ALL_BLOBS, below)


def of_one(session: Progress, below: int) -> Iterator[Purge]:
    """What goes of a session by how far it is."""
    if session.output_seq:
        yield Purge(event_subject(session.key, EventType.OUTPUT), min(below, session.output_seq))
    if session.command_seq:
        yield Purge(session_commands(session.key), min(below, session.command_seq + 1))


def of_ended(key: SessionKey) -> Iterator[Purge]:
    """Everything of a session whose log is not kept any longer."""
    for subject in (session_events(key), session_commands(key), session_blobs(key), report_subject(key)):
        yield Purge(subject, 0)
