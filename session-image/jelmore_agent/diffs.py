"""A session's diffs: when one is due, the fact that it was made, and its patch until the log has it.

The patch lies in a file of its own beside the facts, which are read whole at each start. Written before the fact that
names it, taken away once the log has the event: so the event is the same however often the agent dies in between.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from jelmore_agent import facts
from jelmore_agent.diff.job import Result
from jelmore_agent.fold import Emitted, Event
from jelmore_agent.fold_state import FoldState
from jelmore_contract.events import encode_json, now
from jelmore_contract.report import Cursor


class Maker(Protocol):
    """What compares."""

    @property
    def busy(self) -> bool:
        """Whether a comparison is under way."""

    def compare(self, patch: str) -> None:
        """In the background."""


class Diffs:
    """`note` writes a fact down."""

    def __init__(self, folder: Path, fold: FoldState, note: Callable[[facts.Fact], None]) -> None:
        self._folder = folder
        self._fold = fold
        self._note = note
        self._waiting: deque[tuple[Cursor, Path]] = deque()  # patches that the log has not got yet
        self._asked = (0, 0)  # turn and changes when the comparison that is under way began

    def start(self, maker: Maker) -> None:
        """Begins what is due."""
        if self._fold.diff_due and not maker.busy:
            self._asked = (self._fold.turns, self._fold.file_changes)
            maker.compare(f"diff-{self._fold.run}-{self._fold.file_changes}.patch")

    def made(self, patch: str, result: Result) -> None:
        """What cannot be compared now is tried again after the next turn that changes files."""
        turn, changes = self._asked
        digest = self._fold.diff.digest if result.problem is not None else result.digest
        figures = (result.files, result.insertions, result.deletions, result.truncated)
        self._note(facts.DiffMade(now(), turn, changes, *figures, digest, patch))

    def complete(self, fact: facts.DiffMade, emitted: Emitted) -> Emitted:
        """What the fact leads to, with its patch."""
        if not emitted.events:
            self.forget(fact)
        return emitted._replace(events=[self._whole(fact, event) for event in emitted.events])

    def _whole(self, fact: facts.DiffMade, event: Event) -> Event:
        """The event with its patch, which is kept until the log has it."""
        path = self._folder / fact.patch
        self._waiting.append((event.cursor, path))
        payload = msgspec.json.decode(event.payload)
        try:
            payload["patch"] = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            payload["truncated"] = True
        return event._replace(payload=encode_json(payload))

    def published(self, cursor: Cursor) -> None:
        while self._waiting and self._waiting[0][0] <= cursor:
            self._waiting.popleft()[1].unlink(missing_ok=True)

    def forget(self, fact: facts.DiffMade) -> None:
        """Nothing is told of it, or the log has it already."""
        (self._folder / fact.patch).unlink(missing_ok=True)
