"""Servers that are not ours to start: whether each will do, and waiting for those that are not there yet.

What waiting cannot mend (a wrong password, an authority that is not trusted, a version that is too old) ends the start.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import nats.errors
import nats.js.errors

from jelmore_bus import BusClient
from jelmore_bus.trouble import bus_trouble
from jelmore_contract.trouble import Trouble
from jelmore_local.bus import BusSetup
from jelmore_local.servers.errors import StartError

_log = logging.getLogger(__name__)
_RETRY_S = 0.5
_LIMIT_S = 5.0


@dataclass(frozen=True)
class Probe:
    """variable: the setting that names the server. ask: None where it will do."""

    name: str
    variable: str
    ask: Callable[[], Awaitable[Trouble | None]]


async def wait_for_servers(probes: list[Probe], say: Callable[[str], None]) -> None:
    """Returns once all will do. `say`: to the user, once for each thing that is waited for. Raises StartError."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for probe in probes:
                tasks.create_task(_wait(probe, say))
    except* StartError as group:
        raise group.exceptions[0] from None


async def _wait(probe: Probe, say: Callable[[str], None]) -> None:
    said = ""
    while (trouble := await probe.ask()) is not None:
        if trouble.lasting:
            raise StartError(f"{probe.name} ({probe.variable}) {trouble.text}.")
        if trouble.text != said:
            say(f"Waiting for {probe.name} ({probe.variable}): it {trouble.text}.")
        said = trouble.text
        await asyncio.sleep(_RETRY_S)


def bus_probe(bus: BusSetup) -> Probe:
    return Probe("NATS", "JELMORE_NATS_URL", lambda: _ask_bus(bus))


async def _ask_bus(bus: BusSetup) -> Trouble | None:
    client = BusClient(_log)
    opening = asyncio.create_task(client.open(bus.access, name="jelmore up", retry=_RETRY_S))
    try:
        async with asyncio.timeout(_LIMIT_S):
            await client.attempted.wait()
            if client.trouble is not None:
                return client.trouble
            if client.auth_required and not bus.users:
                return _WITHOUT_SESSIONS
            await client.jetstream().account_info()
            return None
    except (nats.errors.Error, OSError) as error:
        return bus_trouble(error)
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await client.close()


_WITHOUT_SESSIONS = Trouble(
    "has users of its own, and sessions need one each: make accounts for them with `python -m"
    " jelmore_operator.identity FOLDER` and set JELMORE_NATS_IDENTITY to FOLDER/nats-keys.json; or let all sessions"
    " share one, which then are not kept apart, by JELMORE_NATS_SHARED_CREDENTIALS"
)


def database_probe(url: str) -> Probe:
    async def ask() -> Trouble | None:
        # Half a second of imports, for who has a server of their own.
        from jelmore_api.database import connecting

        try:
            connection = await connecting.connect(url, timeout=_LIMIT_S)
        except Exception as error:  # whatever asyncpg makes of an address
            return connecting.database_trouble(error)
        await connection.close()
        return None

    return Probe("PostgreSQL", "JELMORE_DATABASE_URL", ask)


def redis_probe(url: str) -> Probe:
    async def ask() -> Trouble | None:
        from jelmore_api import redis_server

        try:
            redis_server.check_redis_url(url)
            async with contextlib.aclosing(redis_server.redis_at(url)) as redis:
                await redis_server.check_redis(redis)
        except ValueError as error:
            return Trouble(f"cannot be reached: {error}")
        except Exception as error:  # whatever redis-py makes of an address
            return redis_server.redis_trouble(error)
        return None

    return Probe("Redis", "JELMORE_REDIS_URL", ask)
