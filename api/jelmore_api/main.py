"""The application: `uvicorn --factory jelmore_api.main:create_app`, or `python -m jelmore_api`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, FastAPI

from jelmore_api import errors
from jelmore_api.approvals import endpoints as approvals
from jelmore_api.approvals.repository import ApprovalRepository
from jelmore_api.approvals.service import ApprovalService
from jelmore_api.bus import Bus
from jelmore_api.docs import add_docs
from jelmore_api.events import diff_endpoints as diffs
from jelmore_api.events import endpoints as events
from jelmore_api.events import stream
from jelmore_api.events.diffs import DiffService
from jelmore_api.events.repository import EventRepository
from jelmore_api.events.service import EventService
from jelmore_api.head import Head
from jelmore_api.health import endpoints as health
from jelmore_api.health.readiness import Readiness
from jelmore_api.metrics import endpoints as metrics
from jelmore_api.metrics.registry import Metrics
from jelmore_api.middleware import AccessLog, BodyLimit, ClusterGuard, LocalGuard
from jelmore_api.openapi import describe, operation_id
from jelmore_api.parameters import only_known_parameters
from jelmore_api.persister.persister import Persister
from jelmore_api.persister.redis_mirror import Mirror
from jelmore_api.places import place_of
from jelmore_api.postgres import Postgres
from jelmore_api.redis_server import redis_at
from jelmore_api.retention.retention import Limits, Retention
from jelmore_api.retention.rows import RetentionRepository
from jelmore_api.retention.stream import LogStream
from jelmore_api.services import Services, State
from jelmore_api.sessions import endpoints as sessions
from jelmore_api.sessions.commands import Commands
from jelmore_api.sessions.repository import SessionRepository
from jelmore_api.sessions.service import SessionService
from jelmore_api.sessions.tails import OutputTails
from jelmore_api.settings import Settings
from jelmore_api.stream.replay import Replay
from jelmore_api.stream.rooms import Rooms

#: Bytes of a body. What may be 1 MB in the log can be four times that as JSON with escapes.
MAX_BODY_BYTES = 4 * 1024 * 1024

_DESCRIPTION = """
Long-lived Claude Code sessions over HTTP and WebSocket.

Errors are problem documents (RFC 9457, `application/problem+json`): `detail` says what to do. The log of a session is
followed live over the WebSocket `/api/v1/session/{id}/stream`, or on NATS.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """`settings`: from the environment without them. Nothing is connected before the lifespan begins."""
    settings = settings or Settings()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with _services(settings) as made:
            yield {"services": made}

    app = FastAPI(
        title="Jelmore",
        version="1",
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    if settings.in_cluster:
        app.add_middleware(ClusterGuard)
    else:
        app.add_middleware(LocalGuard, settings=settings)
    app.add_middleware(Head)
    app.state.metrics = Metrics()
    app.add_middleware(AccessLog, metrics=app.state.metrics)
    errors.add_handlers(app)
    v1 = APIRouter(prefix="/api/v1", dependencies=[Depends(only_known_parameters)])
    for part in (sessions, approvals, events, diffs, stream):
        v1.include_router(part.router)
    app.include_router(v1)
    app.include_router(health.router)
    app.include_router(metrics.router)
    add_docs(app)
    describe(app, with_token=settings.in_cluster or settings.token is not None)
    return app


@contextlib.asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[Services]:
    """Everything that the endpoints need, connected in the background: what is away now is waited for."""
    database_url = settings.database_url.get_secret_value()
    redis = redis_at(settings.redis_url.get_secret_value())
    async with (
        Bus(settings.bus) as bus,
        Postgres(database_url) as postgres,
        contextlib.aclosing(redis),
        place_of(settings, bus, SessionRepository(postgres)) as place,
    ):
        repository = SessionRepository(postgres)
        persister = Persister(bus.connection, database_url, Mirror(redis))
        commands = Commands(bus, place.store, repository)
        session_service = SessionService(settings, place.store, repository, OutputTails(redis), commands.interrupt)
        approval_service = ApprovalService(bus, ApprovalRepository(postgres), session_service, commands)
        rooms = Rooms(bus.connection)
        replay = Replay(bus.connection, postgres, rooms)
        event_repository = EventRepository(postgres)
        event_service = EventService(bus, event_repository, session_service, replay)
        made = Services(
            settings=settings,
            bus=bus,
            postgres=postgres,
            sessions=session_service,
            commands=commands,
            approvals=approval_service,
            events=event_service,
            diffs=DiffService(bus, event_repository, session_service, event_service),
            replay=replay,
            rooms=rooms,
            persister=persister,
            readiness=Readiness(settings.model, bus, postgres, redis, persister, place.problem),
            admit=place.admit,
        )
        limits = Limits.parse(settings.log_retention, settings.stream_retention)
        retention = Retention(limits, RetentionRepository(postgres), LogStream(bus.connection), place.store)
        tasks = (
            asyncio.create_task(persister.run(), name="persister"),
            asyncio.create_task(retention.run(persister), name="retention"),
        )
        try:
            yield made
        finally:
            await rooms.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
