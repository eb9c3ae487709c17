"""What Redis holds of each session: its hot state, and its last output events as clients get them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from jelmore_api.persister.rows import Changes, EventRow
from jelmore_api.stream.frames import row_frame
from jelmore_contract.events import EventType

REDIS_ERRORS = (RedisError, OSError, TimeoutError)

#: Output events kept for each session.
TAIL = 1000
_KEPT = 24 * 3600  # seconds after a session's end


def session_hash(session_id: str) -> str:
    """The hash of a session's hot state."""
    return f"jelmore:session:{session_id}"


def output_list(session_id: str) -> str:
    """The list of its last output events, as clients get them."""
    return f"jelmore:output:{session_id}"


async def output_buffer_sizes(redis: "Redis", session_ids: Sequence[str]) -> list[int]:
    """How many output events Redis has of each. Raises one of REDIS_ERRORS."""
    if not session_ids:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        for session_id in session_ids:
            pipeline.llen(output_list(session_id))
        return [int(size) for size in await pipeline.execute()]


class HotState(NamedTuple):
    """What a session's hash holds."""

    session_id: str
    namespace: str
    name: str | None
    state: str
    waiting_for: str | None
    current_directory: str | None
    last_activity: datetime | None
    last_seq: int
    terminated_at: datetime | None

    def items(self) -> list[str]:
        """Names and values in turn."""
        items: list[str] = []
        for name, value in self._asdict().items():
            if value is not None:
                items += (name, value.isoformat() if isinstance(value, datetime) else str(value))
        return items


def write_changes(pipeline: "Pipeline", changes: Changes) -> None:
    """What a batch adds."""
    outputs: dict[str, list[EventRow]] = {}
    for event in changes.events:
        if event.event_type == EventType.OUTPUT:
            outputs.setdefault(event.session_id, []).append(event)
    for session_id, events in outputs.items():
        write_tail(pipeline, session_id, events)
    for row in changes.sessions.values():
        write_session(pipeline, HotState(*(getattr(row, name) for name in HotState._fields)))


def write_tail(pipeline: "Pipeline", session_id: str, events: Iterable[EventRow]) -> None:
    """Appends the last of them, and cuts."""
    frames = [row_frame(*event).text for event in events][-TAIL:]
    if frames:
        pipeline.rpush(output_list(session_id), *frames)
        pipeline.ltrim(output_list(session_id), -TAIL, -1)


def write_session(pipeline: "Pipeline", session: HotState) -> None:
    name = session_hash(session.session_id)
    pipeline.delete(name)
    pipeline.hset(name, items=session.items())
    if session.terminated_at is not None:
        pipeline.expire(name, _KEPT)
        pipeline.expire(output_list(session.session_id), _KEPT)
