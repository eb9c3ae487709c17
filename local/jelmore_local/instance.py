"""One `jelmore up` on one data folder: its lock, its port, its log, and endpoints.json."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from jelmore_local.bus import BusSetup
from jelmore_local.servers import Endpoints
from jelmore_local.servers.errors import StartError
from jelmore_operator.jsonlog import json_file_handler
from jelmore_operator.secret_files import write_secret


@contextlib.contextmanager
def only_instance(home: Path) -> Iterator[None]:
    """Raises StartError if another process runs Jelmore on this folder; OSError."""
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(lock, 10, 0).decode().strip()
            raise StartError(
                f"Jelmore already runs on {home} (process {pid}): use that one, stop it (kill {pid}),"
                " or set JELMORE_HOME to another folder."
            ) from None
        os.pwrite(lock, f"{os.getpid():<10}".encode(), 0)
        yield
    finally:
        os.close(lock)


def check_port(host: str, port: int) -> None:
    """Raises StartError if the API could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise StartError(_unusable(error, host, port)) from error


def _unusable(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use by another program: end that, or set JELMORE_PORT to another port."
    if error.errno == errno.EACCES:
        return f"Port {port} is for root only: set JELMORE_PORT to one above 1023."
    return (
        f"Nothing can listen on {host}, port {port} ({error.strerror}): set JELMORE_HOST to an address of this machine."
    )


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Everything that this process logs, as lines of JSON. Raises OSError."""
    handler = json_file_handler(path)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def write_endpoints(home: Path, url: str, endpoints: Endpoints, bus: BusSetup) -> Iterator[None]:
    """`endpoints.json`, for other programs, as long as they are true. Raises OSError."""
    path = home / "endpoints.json"
    document = {
        "api": {"url": url},
        "nats": bus.document(),
        "postgres": {"url": endpoints.postgres_url},
        "redis": {"url": endpoints.redis_url},
    }
    write_secret(path, json.dumps(document, indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
