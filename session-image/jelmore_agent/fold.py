"""The session's state as a fold over its records, and the events that each record leads to. Pure: no clock, no I/O.

The same records in the same order give the same events with the same ids: that is how the agent finds after any crash
what it still has to publish, and how a line is never told twice.
"""

from typing import NamedTuple

from jelmore_agent.fold_facts import take_fact
from jelmore_agent.fold_lines import take_line
from jelmore_agent.fold_state import FoldState
from jelmore_agent.spool import LineRecord, Record
from jelmore_contract.events import Encoding
from jelmore_contract.report import Cursor


class Event(NamedTuple):
    """An event before it is published. `payload`: JSON bytes."""

    cursor: Cursor
    event_type: str
    payload: bytes
    encoding: Encoding | None = None


class Emitted(NamedTuple):
    """What one record leads to. `live`: the line is a partial message. `report`: the state after it, where it
    changed.
    """

    cursor: Cursor
    events: list[Event]
    live: bytes | None = None
    changed: bool = False


class Fold(FoldState):
    """Takes one record after the other."""

    __slots__ = ()

    def apply(self, record: Record) -> Emitted:
        """Takes one record in and returns what it leads to."""
        self.out = []
        live, before = None, self.visible()
        if isinstance(record, LineRecord):
            self.offset = record.end
            cursor = Cursor(record.run, record.end, 0, 0, 0)
            live = take_line(self, record.line)
        else:
            cursor = Cursor(record.run, record.at, 1, record.end, 0)
            take_fact(self, record.fact)
        events = [Event(_replace_index(cursor, n), *out) for n, out in enumerate(self.out)]
        return Emitted(events[-1].cursor if events else cursor, events, live, self.visible() != before)


def _replace_index(cursor: Cursor, index: int) -> Cursor:
    return Cursor(cursor.run, cursor.offset, cursor.source, cursor.fact, index)
