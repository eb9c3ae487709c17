"""The API and the demo model as children."""

import asyncio
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from jelmore_local.servers.child import Child, Command, EndedError, leftovers_gone, plain_environment
from jelmore_local.servers.errors import StartError
from jelmore_local.servers.keep import keep
from jelmore_local.servers.ports import LOOPBACK, Ports

#: How long the API may be up with something away before that is taken for how it is.
_DEGRADED_S = 15.0
_DEGRADED_PAUSE_S = 0.05
_PROBE_LIMIT_S = 5.0


class PythonProcess(ABC):
    """A module of ours that runs as a program."""

    name: str
    key: str

    def __init__(self, home: Path) -> None:
        self._home = home
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @abstractmethod
    def command(self) -> Command:
        """What to run."""

    @abstractmethod
    async def restart(self) -> None:
        """Starts it again where it was. Raises StartError, EndedError, OSError."""

    def keep(self) -> None:
        """From now on it is started again whenever it ends, until `stop`."""
        self._keeper = asyncio.create_task(keep(self))

    async def ended(self) -> int:
        """The exit code, once it has. Only after a start."""
        assert self._child is not None
        return await self._child.wait()

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._child is not None:
            await self._child.stop()

    def _command(self, *arguments: str, takes_input: bool = False) -> Command:
        return Command(
            name=self.name,
            argv=[sys.executable, "-P", "-m", *arguments],
            folder=self._home,
            log=self._home / "logs" / f"{self.key}.log",
            lock=self._home / "run" / f"{self.key}.lock",
            # Not the model's credentials: they are for the CLI alone.
            environment={**plain_environment(), "PYTHONUNBUFFERED": "1"},
            takes_input=takes_input,
        )


class Demo(PythonProcess):
    name = "The demo model"
    key = "demo"

    def __init__(self, home: Path, ports: Ports) -> None:
        super().__init__(home)
        self._ports = ports
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Raises StartError, OSError."""
        self._port = self._ports.take(self.key)
        try:
            await self.restart()
        except EndedError as error:
            raise _failed(self.name, error, self.command().log) from None

    async def restart(self) -> None:
        self._child = await Child.start(self.command())
        await self._child.ready(self._listens)

    def command(self) -> Command:
        return self._command("jelmore_local.demo", "--port", str(self._port))

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        writer.close()
        return True


class Api(PythonProcess):
    """Started in two steps: `preload` while the servers start, `serve` once they run."""

    name = "The API"
    key = "api"

    def __init__(self, home: Path, host: str, port: int) -> None:
        super().__init__(home)
        self._host = host
        self._port = port
        self._told: Mapping[str, str] = {}
        self.ready = False

    async def leftovers_gone(self) -> None:
        """Returns once an earlier start's API has given its port up. Raises StartError, OSError."""
        await leftovers_gone(self.command())

    def command(self) -> Command:
        return self._command("jelmore_local.api_process", takes_input=True)

    async def preload(self) -> None:
        """Raises StartError, OSError."""
        self._child = await Child.start(self.command())

    async def serve(self, environment: Mapping[str, str]) -> None:
        """Returns once it answers; `ready` says whether with everything that it needs. Raises StartError."""
        self._told = environment
        try:
            await self._serve()
        except EndedError as error:
            raise _failed(self.name, error, self.command().log) from None

    async def restart(self) -> None:
        await self.preload()
        await self._serve()

    async def _serve(self) -> None:
        assert self._child is not None
        self._child.tell(json.dumps(dict(self._told)) + "\n")
        waited_s = 0.0

        async def answers() -> bool:
            nonlocal waited_s
            status = await self._status("/readyz")
            self.ready = status == 200
            if status == 503:
                await asyncio.sleep(_DEGRADED_PAUSE_S)
                waited_s += _DEGRADED_PAUSE_S
            return self.ready or waited_s > _DEGRADED_S

        await self._child.ready(answers)

    async def _status(self, path: str) -> int | None:
        """Of the answer to a GET, or None where there is none."""
        try:
            async with asyncio.timeout(_PROBE_LIMIT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                    return int((await reader.readline()).split()[1])
                finally:
                    writer.close()
        except (OSError, ValueError, IndexError):
            return None


def _failed(name: str, error: EndedError, log: Path) -> StartError:
    said = [line for line in error.output.splitlines() if line.strip()]
    return StartError(f"{name} ended during its start: {said[-1] if said else 'it said nothing'} (see {log}).")
