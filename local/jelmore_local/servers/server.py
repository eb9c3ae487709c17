"""What the three servers have in common: how one is started, kept and stopped."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from jelmore_local.servers.child import Child, Command, EndedError
from jelmore_local.servers.errors import from_os_error, from_output
from jelmore_local.servers.ports import LOOPBACK, Ports, is_free

#: Someone else can take a free port between our look at it and the server's.
_PORT_ATTEMPTS = 3
_PROBE_LIMIT_S = 2.0


class Server(ABC):
    """A server on a port of loopback whose data lies in `home/<key>`."""

    name: str
    key: str

    def __init__(self, home: Path, ports: Ports) -> None:
        self.home = home
        self.folder = home / self.key
        self.port = 0
        self._ports = ports
        self._child: Child | None = None

    @abstractmethod
    async def prepare(self) -> None:
        """Makes data and secrets where there are none, and may be cut off anywhere.

        Raises StartError, EndedError, OSError.
        """

    @abstractmethod
    def command(self) -> Command:
        """What to run, with configuration written for `self.port`. Raises OSError."""

    @abstractmethod
    async def answers(self) -> bool:
        """Whether it serves. Raises OSError while nothing listens, StartError if it cannot be used."""

    @property
    def log(self) -> Path:
        return self.home / "logs" / f"{self.key}.log"

    @property
    def lock(self) -> Path:
        return self.home / "run" / f"{self.key}.lock"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Returns once it serves. Raises StartError."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            await self.prepare()
            await self._start_on_free_port()
        except EndedError as error:
            raise from_output(error.output, self.name, self.folder, self.log) from None
        except OSError as error:
            raise from_os_error(error, self.name, self.folder) from error

    async def _start_on_free_port(self) -> None:
        for attempt in range(_PORT_ATTEMPTS):
            self.port = self._ports.take(self.key)
            try:
                await self.restart()
                return
            except EndedError:
                # Unless another program took the port in the meantime, it was something else.
                if is_free(self.port) or attempt == _PORT_ATTEMPTS - 1:
                    raise

    async def restart(self) -> None:
        """Starts it again where it was. Raises StartError, EndedError, OSError."""
        child = await Child.start(self.command())
        self._child = child
        try:
            await child.ready(self._probe)
        except BaseException:
            await child.kill()
            raise

    async def ended(self) -> int:
        """The exit code, once it has. Only for a server that was started."""
        assert self._child is not None
        return await self._child.wait()

    def output(self) -> str:
        """What it has printed since it was started last. Only after a start."""
        assert self._child is not None
        return self._child.output()

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_LIMIT_S):
                return await self.answers()
        except (OSError, asyncio.IncompleteReadError):
            return False

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to it, closed at the end."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
