"""`jelmore up`: everything on one machine, in the foreground, until Ctrl-C or SIGTERM.

The order of starting: the API's process, which imports for a second while the servers and the demo model start; then it
is told where they are; then the supervisor, in this process. Of stopping: sessions (hibernated), API, demo, servers.
"""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from jelmore_local.banner import banner
from jelmore_local.bus import BusSetup, external_bus, own_bus
from jelmore_local.credentials import Credentials, Source, demo_credentials, find_credentials
from jelmore_local.external import bus_probe, database_probe, redis_probe, wait_for_servers
from jelmore_local.instance import check_port, log_to, only_instance, write_endpoints
from jelmore_local.processes import Api, Demo
from jelmore_local.servers import Endpoints, Servers, StartError, make_folders
from jelmore_local.servers.errors import from_os_error
from jelmore_local.servers.packages import package_folder
from jelmore_local.settings import Settings, api_url, parse_settings, reachable_host, read_environment

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Two signals this close are one wish: a supervisor may signal us and `make`, which passes it on.
_ONE_WISH_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 when it was asked to stop, 1 (with one sentence on stderr) when it cannot start or go on."""
    parser = argparse.ArgumentParser(
        prog="jelmore up",
        description="Start Jelmore on this machine: servers, API and supervisor, until Ctrl-C.",
        epilog="Settings: environment variables (JELMORE_HOME, JELMORE_PORT, ...) or lines of .env (.env.example).",
    )
    parser.parse_args(argv)
    try:
        settings = parse_settings(read_environment(os.environ, Path(".env")))
        asyncio.run(_until_signal(settings))
    except StartError as error:
        with contextlib.suppress(OSError):
            print(error, file=sys.stderr, flush=True)
        return 1
    return 0


async def _until_signal(settings: Settings) -> None:
    """Raises StartError."""
    working = asyncio.create_task(_work(settings))
    asked: list[float] = []

    def stop() -> None:
        now = time.monotonic()
        if not asked or now - asked[0] > _ONE_WISH_S:
            _say("Stopping without waiting ..." if asked else "Stopping: sessions are put to sleep ...")
            asked.append(now)
            # The second time this cuts short whatever is waited for.
            working.cancel()

    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await working
    except asyncio.CancelledError:
        if not asked:
            raise
    except OSError as error:
        raise from_os_error(error, "Jelmore", settings.home) from error


async def _work(settings: Settings) -> None:
    """Until cancelled. Raises StartError, OSError."""
    home = settings.home
    make_folders(home)
    async with AsyncExitStack() as stack:
        stack.enter_context(only_instance(home))
        stack.enter_context(log_to(home / "logs" / "up.log"))
        servers = Servers(home, settings.external)
        port = settings.port or servers.ports.take(Api.key)
        api = Api(home, reachable_host(settings.host), port)
        await api.leftovers_gone()
        check_port(settings.host, port)
        credentials = find_credentials(settings.environment)
        demo = Demo(home, servers.ports) if credentials.source is Source.DEMO else None

        stack.push_async_callback(servers.stop)
        if demo is not None:
            stack.push_async_callback(demo.stop)
        stack.push_async_callback(api.stop)
        await api.preload()
        external = external_bus(settings.environment, home) if servers.nats.key in settings.external else None
        start = _Start(settings, servers, external)
        endpoints, bus = await _start_all(
            start.serve(api, lambda found, bus: _api_environment(settings, port, found, bus, credentials)),
            _prepare(demo),
        )
        cli_environment = demo_credentials(demo.url) if demo else credentials.cli_environment
        for process in filter(None, (api, demo)):
            process.keep()

        async with _supervising(settings, bus, credentials, cli_environment) as supervising:
            url = api_url(settings.host, port)
            stack.enter_context(write_endpoints(home, url, endpoints, bus))
            _say(banner(url, credentials, home, token=settings.token is not None, ready=api.ready))
            await asyncio.wait({supervising})
    raise StartError(f"The supervisor of sessions ended (see {home / 'logs' / 'up.log'}): start Jelmore again.")


@asynccontextmanager
async def _supervising(
    settings: Settings, bus: BusSetup, credentials: Credentials, cli_environment: Mapping[str, str]
) -> AsyncIterator[asyncio.Task[None]]:
    """The supervisor's task, which ends only where something is wrong with it. At the end, sessions are hibernated."""
    from jelmore_operator.process.supervisor import Supervisor, SupervisorSettings

    supervisor = Supervisor(
        SupervisorSettings(
            home=settings.home,
            nats_url=bus.access.url,
            nats_credentials=Path(bus.access.credentials) if bus.access.credentials else None,
            nats_tls=bus.access.tls,
            nats_shared=bus.shared,
            identity=bus.identity,
            claude=package_folder("claude_agent_sdk") / "_bundled" / "claude",
            cli_environment=cli_environment,
            claude_config_dir=credentials.config_folder,
        )
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        try:
            await supervisor.stop()
        except asyncio.CancelledError:
            supervisor.hurry()
            await supervisor.stop()
            raise
        finally:
            if task.done() and not task.cancelled() and (error := task.exception()):
                _log.error("the supervisor failed", exc_info=error)


type _Found = tuple[Endpoints, BusSetup]


class _Start(NamedTuple):
    """external: NATS of the user's own."""

    settings: Settings
    servers: Servers
    external: BusSetup | None

    async def serve(self, api: Api, environment: Callable[[Endpoints, BusSetup], Mapping[str, str]]) -> _Found:
        """Raises StartError, OSError."""
        endpoints = await self._servers()
        bus = self.external or own_bus(endpoints)
        await api.serve(environment(endpoints, bus))
        return endpoints, bus

    async def _servers(self) -> Endpoints:
        """Ours are started, the user's waited for, at once."""
        external = self.settings.external
        probes = [bus_probe(self.external)] if self.external else []
        probes += [database_probe(external["postgres"])] if "postgres" in external else []
        probes += [redis_probe(external["valkey"])] if "valkey" in external else []
        endpoints, _ = await asyncio.gather(self.servers.start(), wait_for_servers(probes, _say))
        return endpoints


async def _prepare(demo: Demo | None) -> None:
    """What the API does not wait for. In turn, since a small machine has two cores, and the API has one already.

    Raises StartError, OSError.
    """
    if demo is not None:
        await demo.start()
    # In a thread: half a second.
    await asyncio.to_thread(importlib.import_module, "jelmore_operator.process.supervisor")


async def _start_all(serving: Coroutine[None, None, _Found], other: Coroutine[None, None, None]) -> _Found:
    """Both at once. Where one fails, the other is cut off. Raises StartError, OSError."""
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(serving)
            tasks.create_task(other)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return task.result()


def _api_environment(
    settings: Settings, port: int, endpoints: Endpoints, bus: BusSetup, credentials: Credentials
) -> dict[str, str]:
    """Everything that was set for Jelmore, with what `up` found out itself."""
    given = {name: value for name, value in settings.environment.items() if name.startswith("JELMORE_")}
    return {
        **given,
        "JELMORE_HOME": str(settings.home),
        "JELMORE_HOST": settings.host,
        "JELMORE_PORT": str(port),
        **bus.settings(),
        "JELMORE_DATABASE_URL": endpoints.postgres_url,
        "JELMORE_REDIS_URL": endpoints.redis_url,
        "JELMORE_MODEL": credentials.model,
    }


def _say(text: str) -> None:
    """To the terminal, if it is still there."""
    with contextlib.suppress(OSError):
        print(text, flush=True)
