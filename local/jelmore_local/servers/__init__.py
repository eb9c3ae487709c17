"""NATS, PostgreSQL and Valkey as children on loopback, with their data under one folder.

async with Servers(home) as endpoints:
    ...
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_local.servers.errors import StartError, from_os_error
from jelmore_local.servers.keep import keep
from jelmore_local.servers.nats import Nats
from jelmore_local.servers.ports import Ports
from jelmore_local.servers.postgres import Postgres
from jelmore_local.servers.server import Server
from jelmore_local.servers.valkey import Valkey

__all__ = ["Endpoints", "Servers", "StartError"]


@dataclass(frozen=True)
class Endpoints:
    """Where the servers are. The URLs of PostgreSQL (as asyncpg takes it) and Redis hold their passwords."""

    nats_url: str = field(repr=False)
    nats_credentials: Path  # it and the next one: for a server of ours
    nats_identity: Path  # the keys that sign sessions' credentials: for `Identity.load`
    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)


class Servers:
    """One data folder's servers. Only one process may use a folder at a time: that is for the caller to see to.

    `external`: URLs of servers that run elsewhere and are not started, by `key` (nats, postgres, valkey).
    """

    def __init__(self, home: Path, external: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._external = external or {}
        self.ports = Ports(home / "run" / "ports.json")
        self.nats = Nats(home, self.ports)
        self.postgres = Postgres(home, self.ports)
        self.valkey = Valkey(home, self.ports)
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def own(self) -> tuple[Server, ...]:
        """Those that are ours to start."""
        return tuple(s for s in (self.nats, self.postgres, self.valkey) if s.key not in self._external)

    async def start(self) -> Endpoints:
        """Returns once all serve; from then on a server that ends is started again.

        Raises StartError, with none left running.
        """
        make_folders(self._home)
        outcomes = await asyncio.gather(*(server.start() for server in self.own), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.stop()
                raise outcome
        self._keepers = [asyncio.create_task(keep(server)) for server in self.own]
        return self._endpoints()

    def _endpoints(self) -> Endpoints:
        return Endpoints(
            nats_url=self._external.get(self.nats.key) or self.nats.url,
            nats_credentials=self.nats.credentials,
            nats_identity=self.nats.identity_file,
            postgres_url=self._external.get(self.postgres.key) or self.postgres.url,
            redis_url=self._external.get(self.valkey.key) or self.valkey.url,
        )

    async def stop(self) -> None:
        """Ends them, cleanly where that takes no longer than a limit."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(server.stop() for server in self.own))

    async def __aenter__(self) -> Endpoints:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def make_folders(home: Path) -> None:
    """Raises StartError."""
    try:
        for name in ("", "run", "logs", "secrets"):
            (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, "Jelmore", home) from error
