"""What is there of all that the service needs: asked anew each time, all at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from jelmore_api.bus import Bus
from jelmore_api.database.connecting import database_trouble
from jelmore_api.errors import Problem
from jelmore_api.persister.hot import REDIS_ERRORS
from jelmore_api.persister.persister import Persister
from jelmore_api.postgres import Postgres
from jelmore_api.redis_server import check_redis, redis_trouble

_MOST = 2.0  # seconds for all answers

type Probe = Callable[[], Awaitable[None]]
#: What is wrong, for a person, where a probe ended with that error.
type Explain = Callable[[BaseException], str]


class Dependency(BaseModel):
    """Something that the service needs."""

    ok: bool = Field(description="Whether it answers.")
    message: str | None = Field(None, description="What is wrong, for a person.")


class Report(BaseModel):
    """`status` is degraded while something is away: the rest is served."""

    model_config = ConfigDict(title="Readiness")

    status: Literal["ready", "degraded"] = Field(description="As the answer's own: 200 or 503.")
    model: str = Field(description="claude, or demo: a scripted model answers.")
    dependencies: dict[str, Dependency] = Field(
        description="nats, postgres, redis, and the mirror of the log in them; kubernetes, in a cluster."
    )


class Readiness:
    """`resources`: what is wrong with the cluster's resources, for a person; None on one machine."""

    def __init__(
        self,
        model: str,
        bus: Bus,
        postgres: Postgres,
        redis: "Redis",
        persister: Persister,
        resources: Callable[[], str | None] | None,
    ) -> None:
        self._model = model
        self._resources = resources
        self._bus = bus
        self._postgres = postgres
        self._redis = redis
        self._persister = persister

    async def report(self) -> Report:
        probes: dict[str, tuple[Probe, Explain]] = {
            "nats": (self._nats, self._bus.trouble),
            "postgres": (self._database, lambda error: database_trouble(error).text),
            "redis": (self._cache, lambda error: redis_trouble(error).text),
        }
        answers = await asyncio.gather(*(_ask(*probe) for probe in probes.values()))
        found = dict(zip(probes, answers, strict=True)) | {"mirror": self._mirror()}
        if self._resources is not None:
            found["kubernetes"] = Dependency(ok=self._resources() is None, message=self._resources())
        ready = all(dependency.ok for dependency in found.values())
        return Report(status="ready" if ready else "degraded", model=self._model, dependencies=found)

    async def _nats(self) -> None:
        await self._bus.last_sequence()

    async def _database(self) -> None:
        await self._postgres.row("SELECT seq FROM log_position LIMIT 1")

    async def _cache(self) -> None:
        await check_redis(self._redis)

    def _mirror(self) -> Dependency:
        wrong = [f"{name}: {state.message}" for name, state in self._persister.health.items() if not state.ok]
        return Dependency(ok=not wrong, message="; ".join(wrong) or None)


async def _ask(probe: Probe, explain: Explain) -> Dependency:
    try:
        async with asyncio.timeout(_MOST):
            await probe()
    except (Problem, *REDIS_ERRORS) as error:
        return Dependency(ok=False, message=explain(error.__cause__ or error))
    return Dependency(ok=True, message=None)
