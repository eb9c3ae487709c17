"""What `jelmore up` is told: by the environment, and by a file `.env` in the working folder, over which that wins."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_local.servers.errors import StartError

#: As the API checks it.
_SHORTEST_TOKEN = 16
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True)
class Settings:
    """`port` 0: a free one, the same at each start. `external`: servers not ours to start, as for `Servers`."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    external: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Everything that was set, for the API (JELMORE_…) and to find the model's credentials in.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_environment(environ: Mapping[str, str], dotenv: Path) -> dict[str, str]:
    """Raises StartError for a file that is there and cannot be read."""
    if not dotenv.is_file():
        return dict(environ)
    from dotenv import dotenv_values  # a twentieth of a second, for a file that most starts do without

    try:
        values = dotenv_values(dotenv)
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{dotenv.absolute()} cannot be read ({error}): correct it, or move it away.") from error
    return {**{name: value for name, value in values.items() if value is not None}, **environ}


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Raises StartError with the variable that is wrong and how to set it."""
    given = {name: value for name, value in environment.items() if value.strip()}
    home = Path(given.get("JELMORE_HOME", "~/.jelmore")).expanduser().absolute()
    host = given.get("JELMORE_HOST", "127.0.0.1").strip()
    token = given.get("JELMORE_TOKEN")
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise StartError(f"JELMORE_TOKEN is shorter than {_SHORTEST_TOKEN} characters: set a longer one.")
    if token is None and not _is_loopback(host):
        raise StartError(
            f"Listening on {host} would let everybody in: set JELMORE_TOKEN to a secret of your own,"
            " or JELMORE_HOST to 127.0.0.1."
        )
    urls = {"nats": "JELMORE_NATS_URL", "postgres": "JELMORE_DATABASE_URL", "valkey": "JELMORE_REDIS_URL"}
    return Settings(
        home=home,
        host=host,
        port=_port(given.get("JELMORE_PORT", "8000")),
        token=token,
        external={server: given[variable] for server, variable in urls.items() if variable in given},
        environment=given,
    )


def reachable_host(host: str) -> str:
    """The address at which a service that listens on `host` is reached from this machine."""
    return _ANY_ADDRESS.get(host, host)


def api_url(host: str, port: int) -> str:
    host = reachable_host(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _port(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > 65535:
        raise StartError(f"JELMORE_PORT is {text!r}, which is no port: set it to a number from 1 to 65535.")
    return int(text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
