"""What turns changed: a session's events `session.diff`, found by turn."""

import re
from typing import NamedTuple

import msgspec

from jelmore_api.bus import Bus
from jelmore_api.errors import Problem
from jelmore_api.events.repository import EventRepository
from jelmore_api.events.service import EventService
from jelmore_api.sessions.service import SessionService
from jelmore_api.stream.frames import read_event
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import Encoding, EventType
from jelmore_contract.payloads import Diff
from jelmore_contract.subjects import SessionKey, event_subject, parse_subject

# The payload's first field, as the agent writes it.
_TURN = re.compile(rb'\{"turn":(\d{1,9}),')


class StoredDiff(NamedTuple):
    seq: int
    diff: Diff


class DiffService:
    """Every method raises Problem."""

    def __init__(self, bus: Bus, repository: EventRepository, sessions: SessionService, events: EventService) -> None:
        self._bus = bus
        self._repository = repository
        self._sessions = sessions
        self._events = events

    async def find(self, session_id: str, turn: int | None) -> StoredDiff:
        """The last one, or how things stood after a turn: of several, the last up to it."""
        key = await self._sessions.key(session_id)
        position = await self._repository.position()
        found = await self._in_stream(key, turn, position) or await self._in_rows(session_id, turn)
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, await self._why_none(session_id, turn))
        return found

    async def _in_stream(self, key: SessionKey, turn: int | None, position: int) -> StoredDiff | None:
        """What PostgreSQL may not have yet."""
        last = None
        async for message in self._bus.messages(event_subject(key, EventType.DIFF), position):
            try:
                event = read_event(parse_subject(message.subject or ""), message.data or b"")
            except ValueError:
                continue
            diff = await self._whole(key.session_id, event.encoding, event.payload)
            if diff is not None and (turn is None or diff["turn"] <= turn):
                last = StoredDiff(message.seq or 0, diff)
        return last

    async def _in_rows(self, session_id: str, turn: int | None) -> StoredDiff | None:
        async for row in self._repository.diffs(session_id):
            head = row["head"].encode()
            if row["encoding"] == Encoding.BLOB:
                head = await self._repository.blob_head(session_id, _blob_name(head))
            named = _TURN.match(head)
            if named is None or (turn is not None and int(named[1]) > turn):
                continue
            payload = await self._repository.payload(session_id, row["seq"])
            diff = await self._whole(session_id, row["encoding"], payload.encode())
            if diff is not None:
                return StoredDiff(row["seq"], diff)
        return None

    async def _whole(self, session_id: str, encoding: str | None, payload: bytes) -> Diff | None:
        """None for what is no diff: anybody may have written it."""
        if encoding == Encoding.BLOB:
            payload = await self._events.blob(session_id, _blob_name(payload))
        try:
            return msgspec.json.decode(payload, type=Diff)
        except ValueError:
            return None

    async def _why_none(self, session_id: str, turn: int | None) -> str:
        said = await self._repository.diff_problem(session_id)
        if said is not None:
            return str(msgspec.json.decode(said).get("message"))
        until = "no turn" if turn is None else f"no turn up to {turn}"
        return (
            f"Session {session_id} has no diff: {until} has changed a file yet. It comes a moment after the turn that "
            "does, as event session.diff."
        )


def _blob_name(payload: bytes) -> str:
    try:
        return str(msgspec.json.decode(payload)["blob"])
    except (ValueError, LookupError, TypeError):
        return ""
