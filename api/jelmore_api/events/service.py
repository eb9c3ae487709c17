"""Pages of a session's log: rows up to the projections' position, the log itself from there."""

from collections.abc import Sequence

from jelmore_api.bus import Bus
from jelmore_api.errors import FieldError, Problem
from jelmore_api.events.repository import EventRepository
from jelmore_api.sessions.service import SessionService
from jelmore_api.stream.frames import Frame, event_frame, read_event, row_frame
from jelmore_api.stream.replay import End, Replay
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import EventType
from jelmore_contract.subjects import SessionKey, blob_subject, parse_subject, session_blob, session_events


class EventService:
    """Every method raises Problem."""

    def __init__(self, bus: Bus, repository: EventRepository, sessions: SessionService, replay: Replay) -> None:
        self._replay = replay
        self._bus = bus
        self._repository = repository
        self._sessions = sessions

    async def page(self, session_id: str, after: int, types: Sequence[EventType], limit: int) -> list[Frame]:
        """At most `limit` events above sequence `after`; of all types where `types` is empty."""
        reach = await self._repository.reach(session_id)
        rows = await self._repository.page(session_id, after, [str(t) for t in types] or None, limit)
        frames = [row_frame(session_id, *row) for row in rows]
        if len(frames) == limit:
            return frames
        key = SessionKey(reach.namespace, session_id) if reach.namespace else await self._sessions.key(session_id)
        # Rows are read after the position: they may reach beyond it.
        last = max(after, reach.position, frames[-1].seq if frames else 0)
        async for message in self._bus.messages(session_events(key), last):
            subject = parse_subject(message.subject or "")
            if not types or subject.rest in types:
                try:
                    frames.append(event_frame(message.seq or 0, read_event(subject, message.data or b"")))
                except ValueError:
                    continue  # no event: neither stream nor mirror shows it
            if len(frames) == limit:
                break
        if not frames and after > reach.last_seq:
            await self.check_end(key, after)
        return frames

    async def blob(self, session_id: str, name: str) -> bytes:
        """The payload whole, as the CLI printed it."""
        key = await self._sessions.key(session_id)
        missing = Problem(
            ProblemType.NOT_FOUND, f"Session {session_id} has no blob {name}. Events name those that there are."
        )
        try:
            blob_subject(key, name, 0)
        except ValueError:
            raise missing from None
        position = await self._repository.position()
        chunks = await self._repository.chunks(session_id, name)
        async for message in self._bus.messages(session_blob(key, name), position):
            chunks[int((message.subject or "").rpartition(".")[2])] = message.data or b""
        if not chunks:
            raise missing
        return b"".join(chunks[number] for number in sorted(chunks))

    async def check_end(self, key: SessionKey, after: int) -> End:
        """Where the log ends; not looked for where it is read from its start. Raises Problem for a place that it does
        not have yet.
        """
        if after == 0:
            return End(0, terminated=False)
        end = await self._replay.end(key)
        if after > end.seq:
            error = FieldError(detail=f"the session's log ends at {end.seq}", pointer=None, parameter="after")
            detail = f"after: {error.detail}; give the seq of an event of it, or leave it out to read from the start."
            raise Problem(ProblemType.INVALID_REQUEST, detail, errors=[error])
        return end
