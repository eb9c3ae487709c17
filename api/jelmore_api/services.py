"""What the endpoints work with: made by the lifespan, one of each for an application."""

import asyncio
from dataclasses import dataclass, field
from typing import TypedDict

from fastapi.requests import HTTPConnection

from jelmore_api.approvals.service import ApprovalService
from jelmore_api.auth.access import Admission
from jelmore_api.bus import Bus
from jelmore_api.events.diffs import DiffService
from jelmore_api.events.service import EventService
from jelmore_api.health.readiness import Readiness
from jelmore_api.persister.persister import Persister
from jelmore_api.postgres import Postgres
from jelmore_api.sessions.commands import Commands
from jelmore_api.sessions.service import SessionService
from jelmore_api.settings import Settings
from jelmore_api.stream.replay import Replay
from jelmore_api.stream.rooms import Rooms

#: Seconds for clients to take their last frame.
_GOODBYE = 2.0


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    bus: Bus
    postgres: Postgres
    sessions: SessionService
    commands: Commands
    approvals: ApprovalService
    events: EventService
    diffs: DiffService
    replay: Replay
    rooms: Rooms
    readiness: Readiness
    persister: Persister
    #: Lets callers in; None on one machine, where there is nobody to ask.
    admit: Admission | None
    #: The tasks that serve a WebSocket or an event stream.
    streams: set[asyncio.Task[None]] = field(default_factory=set)

    async def end_streams(self) -> None:
        """Sends every client of a stream away, to come back: before the server closes its connections."""
        await self.rooms.close()
        if self.streams:
            await asyncio.wait(self.streams, timeout=_GOODBYE)


class State(TypedDict):
    """What the lifespan yields: `request.state`."""

    services: Services


async def services(connection: HTTPConnection) -> Services:
    """A dependency, for HTTP and WebSocket alike, as a coroutine (FastAPI runs others in a thread)."""
    found: Services = connection.state.services
    return found
