"""From a line that the CLI prints to the WebSocket frame that a client gets, beside the least that does the same.

Both print the same lines at the same pace, into the same NATS server, and are read by the same client in this process.
They take turns, so that what else the machine does meets both.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop
import websockets
from websockets.asyncio.client import ClientConnection

from jelmore_local.servers.ports import is_free
from tests.perf.lines import Order, recorded_mix, small_lines, stamp, write_lines
from tests.perf.product import Session, running, scratch_folder, wait_until, with_stand_in
from tests.perf.report import Row, ratio_row
from tests.support.ports import free_port
from tests.support.up import Up

LIMIT = 1.5
_ROUNDS = 6
_LINES = 200
#: Of each round: caches and connections have been cold.
_WARM_UP = 10
_PACE_MS = (20.0, 50.0)
_ROUND_LIMIT_S = 60.0
_ROOT = Path(__file__).parents[2]


class Side(ABC):
    """One way from a printing program to a WebSocket. `past_ends_with`: in the last frame of what is replayed first."""

    ws_url: str
    past_ends_with: str | None = None

    @abstractmethod
    def begin(self, order: Order) -> None:
        """Has the lines printed; does not wait."""


class Ours(Side):
    past_ends_with = '"stream.ready"'

    def __init__(self, up: Up) -> None:
        self._session = Session(up)
        self._session.idle()
        self.ws_url = f"{up.url.replace('http', 'ws', 1)}/api/v1/session/{self._session.id}/stream"

    def begin(self, order: Order) -> None:
        self._session.idle()
        self._session.send(order.text())


class Bare(Side):
    def __init__(self, printing: "subprocess.Popen[bytes]", port: int) -> None:
        self._printing = printing
        self.ws_url = f"ws://127.0.0.1:{port}/"

    def begin(self, order: Order) -> None:
        assert self._printing.stdin is not None
        frame = {"type": "user", "uuid": "bench", "message": {"content": order.text()}}
        self._printing.stdin.write(json.dumps(frame).encode() + b"\n")
        self._printing.stdin.flush()


@contextmanager
def bare_pipeline(up: Up) -> Iterator[Bare]:
    nats, port = up.endpoints()["nats"], free_port()
    part = [sys.executable, "-m", "tests.perf.bare_pipeline"]
    reading, writing = os.pipe()
    with ExitStack() as stack:

        def start(*command: str, stdin: int, stdout: int | None = None) -> "subprocess.Popen[bytes]":
            process = subprocess.Popen(command, stdin=stdin, stdout=stdout, cwd=_ROOT)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        start(*part, "serve", nats["url"], nats["credentials"], str(port), stdin=subprocess.DEVNULL)
        wait_until(lambda: not is_free(port), "the bare pipeline's uvicorn does not listen")
        start(*part, "publish", nats["url"], nats["credentials"], stdin=reading)
        stand_in = str(Path(__file__).with_name("stand_in_cli.py"))
        printing = start(sys.executable, "-IS", stand_in, stdin=subprocess.PIPE, stdout=writing)
        os.close(reading)
        os.close(writing)
        yield Bare(printing, port)


async def _latencies(socket: ClientConnection, side: Side, order: Order, count: int) -> list[float]:
    """Of `count` lines, in milliseconds."""
    begun = asyncio.create_task(asyncio.to_thread(side.begin, order))
    found: list[float] = []
    async with asyncio.timeout(_ROUND_LIMIT_S):
        while len(found) < count:
            text = await socket.recv()
            arrived = time.monotonic_ns()
            assert isinstance(text, str)
            if (printed := stamp(text)) is not None:
                found.append((arrived - printed) / 1e6)
    await begun
    return found[_WARM_UP:]


@contextlib.asynccontextmanager
async def _listening(side: Side) -> AsyncIterator[ClientConnection]:
    """From now on: lines of an earlier measure are read over."""
    async with websockets.connect(side.ws_url, compression=None, max_size=None) as socket:
        while side.past_ends_with is not None and side.past_ends_with not in str(await socket.recv()):
            pass
        yield socket


async def _rounds(ours: Side, bare: Side, files: Sequence[Path]) -> list[tuple[list[float], list[float]]]:
    """Each round's latencies on both sides; who comes first alternates."""
    rounds = []
    async with _listening(ours) as our_socket, _listening(bare) as bare_socket:
        for number, lines in enumerate(files):
            order = Order(str(lines), *_PACE_MS)
            count = len(lines.read_bytes().splitlines())
            took: dict[bool, list[float]] = {}
            for is_ours in (True, False) if number % 2 else (False, True):
                socket, side = (our_socket, ours) if is_ours else (bare_socket, bare)
                took[is_ours] = await _latencies(socket, side, order, count)
            rounds.append((took[True], took[False]))
    return rounds


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder, with_stand_in(folder)) as up, bare_pipeline(up) as bare:
        ours = Ours(up)
        for what, kind in (("200 bytes", "small"), ("recorded turns", "mix")):
            files = [folder / f"{kind}-{number}" for number in range(_ROUNDS)]
            for number, path in enumerate(files):
                write_lines(path, small_lines(_LINES) if kind == "small" else recorded_mix(_LINES, number))
            rounds = uvloop.run(_rounds(ours, bare, files))
            halves = [(statistics.median(a), statistics.median(b)) for a, b in rounds]
            yield ratio_row(f"CLI line to WebSocket frame, {what}, p50", "ms", halves, LIMIT)
            tails = [(_p90(a), _p90(b)) for a, b in rounds]
            yield ratio_row(f"the same, {what}, p90", "ms", tails, None)


def _p90(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=10)[-1]
