"""NATS, PostgreSQL and Valkey as children on loopback, with their data under one folder.

async with Servers(home) as endpoints:
    ...
"""

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_local.servers.child import EndedError
from jelmore_local.servers.errors import StartError, from_os_error
from jelmore_local.servers.nats import Nats
from jelmore_local.servers.ports import Ports
from jelmore_local.servers.postgres import Postgres
from jelmore_local.servers.server import Server
from jelmore_local.servers.valkey import Valkey

__all__ = ["Endpoints", "Servers", "StartError"]

_log = logging.getLogger(__name__)
_RETRY_S = 1.0


@dataclass(frozen=True)
class Endpoints:
    """Where the servers are. The URLs of PostgreSQL (as asyncpg takes it) and Redis hold their passwords."""

    nats_url: str
    nats_credentials: Path
    nats_identity: Path  # the keys that sign sessions' credentials: for `Identity.load`
    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)


class Servers:
    """One data folder's servers. Only one process may use a folder at a time: that is for the caller to see to."""

    def __init__(self, home: Path) -> None:
        self._home = home
        ports = Ports(home / "run" / "ports.json")
        self.nats = Nats(home, ports)
        self.postgres = Postgres(home, ports)
        self.valkey = Valkey(home, ports)
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def all(self) -> tuple[Server, ...]:
        return (self.nats, self.postgres, self.valkey)

    async def start(self) -> Endpoints:
        """Returns once all three serve; from then on a server that ends is started again.

        Raises StartError, with none left running.
        """
        try:
            for name in ("", "run", "logs", "secrets"):
                (self._home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, "Jelmore", self._home) from error
        outcomes = await asyncio.gather(*(server.start() for server in self.all), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.stop()
                raise outcome
        self._keepers = [asyncio.create_task(_keep(server)) for server in self.all]
        return self.endpoints

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(
            nats_url=self.nats.url,
            nats_credentials=self.nats.credentials,
            nats_identity=self.nats.identity_file,
            postgres_url=self.postgres.url,
            redis_url=self.valkey.url,
        )

    async def stop(self) -> None:
        """Ends them, cleanly where that takes no longer than a limit."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(server.stop() for server in self.all))

    async def __aenter__(self) -> Endpoints:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _keep(server: Server) -> None:
    """Starts it again, where it was, whenever it ends."""
    while True:
        code = await server.ended()
        _log.warning("%s ended with code %d; starting it again", server.name, code)
        try:
            await server.restart()
        except (StartError, EndedError, OSError) as error:
            _log.error("%s cannot be started again: %s", server.name, error)
            await asyncio.sleep(_RETRY_S)
