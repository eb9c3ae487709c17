"""The events that recorded lines of the real CLI lead to, as clients get them."""

import json
from typing import Any

from jelmore_agent.fold import Fold
from jelmore_agent.spool import LineRecord
from jelmore_contract.events import reader_text
from tests.support.frames import recorded_lines

_TIME = "2025-08-06T12:00:00.000Z"


def recorded_events(scenario: str) -> list[dict[str, Any]]:
    """Of one run, in order; what the agent tells of files and git is not among them."""
    fold, end = Fold("550e8400-e29b-41d4-a716-446655440000"), 0
    events: list[dict[str, Any]] = []
    for line in recorded_lines(scenario):
        end += len(line)
        for event in fold.apply(LineRecord(1, end, line.rstrip(b"\n"))).events:
            seq = len(events) + 1
            head = (seq, f"e{seq}", event.event_type, fold.session_id, _TIME, event.encoding)
            events.append(json.loads(reader_text(*head, event.payload.decode())))
    return events
