"""The second `make up` to its first 200, beside the three servers' start alone, on the same data folder in turn."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.perf.product import scratch_folder
from tests.perf.report import Row, ratio_row
from tests.support.ports import free_port
from tests.support.up import Up

LIMIT = 2.0
_ROUNDS = 5
_LIMIT_S = 60.0
_POLL_S = 0.003
_ROOT = Path(__file__).parents[2]


def _command() -> Sequence[str]:
    """`make up` itself, if this is the environment that it would use; or what it becomes."""
    if Path(sys.prefix) == _ROOT / ".venv":
        return ("make", "--silent", "up")
    return (sys.executable, "-m", "jelmore_local")


def _environment(up: Up) -> dict[str, str]:
    given = {"HOME": str(up.home.parent), "JELMORE_HOME": str(up.home), "JELMORE_PORT": str(up.port)}
    return {"PATH": os.environ["PATH"], **given}


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=_LIMIT_S)


def _product(up: Up) -> tuple[float, float]:
    """Seconds to the first 200 of /healthz (the process serves) and of /readyz (with all that it needs)."""
    began = time.monotonic()
    process = subprocess.Popen(
        _command(), cwd=_ROOT, env=_environment(up), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        return _first_200(up.port, "/healthz") - began, _first_200(up.port, "/readyz") - began
    finally:
        # Not before everything runs: a start that is cut short ends differently.
        _until_complete(up)
        _end(process)


def _first_200(port: int, path: str) -> float:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return time.monotonic()
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(_POLL_S)
    raise TimeoutError(f"no 200 from {path}")


def _until_complete(up: Up) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not (up.home / "endpoints.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def _servers(up: Up) -> tuple[float, float]:
    """Seconds to all three serving, with the start of the interpreter that starts them, and without."""
    began = time.monotonic()
    command = (sys.executable, "-m", "tests.perf.bare_servers", str(up.home))
    process = subprocess.Popen(command, cwd=_ROOT, env=_environment(up), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        alone = float(process.stdout.readline())
        return time.monotonic() - began, alone
    finally:
        _end(process)


def measure() -> Iterator[Row]:
    with scratch_folder() as folder:
        up = Up(folder / "home", free_port())
        _product(up)  # the first start makes the data
        _servers(up)
        rounds = [(_product(up), _servers(up)) for _ in range(_ROUNDS)]
    name = "make up" if _command()[0] == "make" else "jelmore up"
    yield ratio_row(
        f"second `{name}` to 200 of /readyz, beside its servers' start alone", "s", _pairs(rounds, 1, 0), LIMIT
    )
    yield ratio_row(f"second `{name}` to 200 of /healthz, beside the same", "s", _pairs(rounds, 0, 0), None)
    yield ratio_row(
        f"second `{name}` to 200 of /readyz, beside the same without Python's start", "s", _pairs(rounds, 1, 1), None
    )


def _pairs(
    rounds: Sequence[tuple[tuple[float, float], tuple[float, float]]], ours: int, base: int
) -> list[tuple[float, float]]:
    return [(product[ours], servers[base]) for product, servers in rounds]
