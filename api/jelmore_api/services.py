"""What the endpoints work with: made by the lifespan, one of each for an application."""

from dataclasses import dataclass
from typing import TypedDict

from fastapi.requests import HTTPConnection

from jelmore_api.approvals.service import ApprovalService
from jelmore_api.bus import Bus
from jelmore_api.events.service import EventService
from jelmore_api.health.readiness import Readiness
from jelmore_api.postgres import Postgres
from jelmore_api.sessions.commands import Commands
from jelmore_api.sessions.service import SessionService
from jelmore_api.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    bus: Bus
    postgres: Postgres
    sessions: SessionService
    commands: Commands
    approvals: ApprovalService
    events: EventService
    readiness: Readiness


class State(TypedDict):
    """What the lifespan yields: `request.state`."""

    services: Services


def services(connection: HTTPConnection) -> Services:
    """A dependency, for HTTP and WebSocket alike."""
    found: Services = connection.state.services
    return found
