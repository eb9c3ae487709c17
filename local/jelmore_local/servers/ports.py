"""Ports of loopback that stay the same from start to start as long as nobody else takes them."""

import json
import random
import socket
from pathlib import Path

from jelmore_local.servers.errors import StartError

LOOPBACK = "127.0.0.1"
#: Above well-known services, below the ports that Linux takes for outgoing connections (ip_local_port_range: 32768 on).
_RANGE = range(15_000, 32_000)
_ATTEMPTS = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: a connection that is winding down does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port() -> int:
    """Raises StartError if there is none."""
    for _ in range(_ATTEMPTS):
        port = random.choice(_RANGE)  # noqa: S311 - no secret
        if is_free(port):
            return port
    raise StartError(f"No free port was found on {LOOPBACK}: end some of the programs that listen there.")


class Ports:
    """The ports of one data folder, by server; kept in a file there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            stored = json.loads(path.read_bytes())
            self._ports = {name: port for name, port in stored.items() if isinstance(port, int)}
        except (FileNotFoundError, ValueError, AttributeError):
            # Nothing is lost with it: other ports will do.
            self._ports = {}

    def take(self, name: str) -> int:
        """The one used last, or a free one if somebody else listens there now. Raises StartError, OSError."""
        port = self._ports.get(name)
        if port is None or not is_free(port):
            port = free_port()
            while port in self._ports.values():
                port = free_port()
            self._ports[name] = port
            self._path.write_text(json.dumps(self._ports))
        return port
