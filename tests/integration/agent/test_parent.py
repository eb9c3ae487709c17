"""PID 1 of the sidecar: what it starts again, and how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession

from tests.integration.agent.test_session import BASH, UNTIL_GO
from tests.support.gate import Gate
from tests.support.key_proxy import KEY
from tests.support.launcher import until
from tests.support.ports import free_port
from tests.support.scripts import bash, say, script
from tests.support.session_rig import MakeRig, Rig

PROGRAM = """
import sys
from jelmore_agent.parent.__main__ import Parent
addresses = [("127.0.0.1", int(sys.argv[2])), ("", int(sys.argv[3]))]
sys.exit(Parent(sys.argv[1], addresses, float(sys.argv[4])).run())
"""


class ParentProcess:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.metrics_port = free_port()
        self._log = folder / "parent.log"
        self.process: psutil.Popen | None = None

    def start(self, config: Path, limit: float = 20, env: dict[str, str] | None = None) -> None:
        with self._log.open("ab") as out:
            self.process = psutil.Popen(
                [sys.executable, "-c", PROGRAM, str(config), str(self.port), str(self.metrics_port), str(limit)],
                env={"PATH": os.environ["PATH"], **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def child(self, module: str) -> psutil.Process | None:
        assert self.process is not None
        for child in self.process.children():
            with suppress(psutil.Error):  # it may end at any moment
                if module in child.cmdline():
                    return child
        return None

    async def another(self, module: str, before: psutil.Process | None = None) -> psutil.Process:
        found: list[psutil.Process] = []

        def there() -> bool:
            child = self.child(module)
            found[:] = [child] if child is not None and child != before else []
            return bool(found)

        await until(there)
        return found[0]

    async def environ(self, module: str) -> dict[str, str]:
        """Also of one that dies all the time."""
        found: dict[str, str] = {}

        def there() -> bool:
            with suppress(psutil.Error):
                found.update((child.environ()) if (child := self.child(module)) is not None else {})
            return bool(found)

        await until(there)
        return found

    def log(self) -> str:
        return self._log.read_text()

    def told(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def stopped(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return int(await asyncio.to_thread(self.process.wait, 20))

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            family = [self.process, *self.process.children(recursive=True)]
            for member in family:
                member.kill()
            self.process.wait(10)


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[ParentProcess]:
    parent = ParentProcess(tmp_path)
    yield parent
    parent.end()
    assert KEY not in parent.log()


async def test_an_agent_that_dies_at_once_is_started_again_but_not_in_a_rush(
    parent: ParentProcess, tmp_path: Path
) -> None:
    parent.start(tmp_path / "missing.json")
    await until(lambda: len(parent.told("child ended")) >= 3)
    ended = parent.told("child ended")[:3]
    assert [(line["code"], line["again_in"]) for line in ended] == [(2, 0.1), (2, 0.2), (2, 0.4)]
    assert await parent.stopped() == 1


async def started(parent: ParentProcess, rig: Rig, limit: float = 20) -> None:
    rig.start_agent()
    await rig.kill_agent()
    rig.agent = None
    parent.start(rig.folder / "agent.json", limit)
    rig.start_launcher()
    await rig.log.follow(rig.client)


async def test_a_killed_agent_is_replaced_and_the_session_goes_on(parent: ParentProcess, make_rig: MakeRig) -> None:
    rig = await make_rig(start=False, settings={"query": script(say("slow", chars=2000, deltas=100, delay_ms=20))})
    await started(parent, rig)
    await rig.until(lambda log: "active" in log.states())
    first = await parent.another("jelmore_agent.main")
    first.send_signal(signal.SIGKILL)
    await parent.another("jelmore_agent.main", first)
    await rig.until(lambda log: log.of("turn_completed"))
    await rig.until(lambda log: log.lines() == rig.spool_lines())
    assert await parent.stopped() == 0
    assert rig.log.report is not None
    assert not rig.log.report.drained


async def test_a_session_that_has_ended_ends_with_it(parent: ParentProcess, make_rig: MakeRig) -> None:
    rig = await make_rig(start=False, settings={"query": script(say("Hi."))})
    await started(parent, rig)
    await rig.until(lambda log: log.of("turn_completed"))
    assert rig.launcher is not None
    rig.launcher.terminate()
    assert await asyncio.to_thread(rig.launcher.wait, 20) == 0
    await until(lambda: [line["code"] for line in parent.told("child ended")] == [0])
    assert await parent.stopped() == 0
    await rig.until(lambda log: log.report is not None and log.report.drained)


async def test_an_agent_that_cannot_publish_is_not_waited_for_without_end(
    parent: ParentProcess, make_rig: MakeRig
) -> None:
    rig = await make_rig(start=False, settings=BASH | {"query": script(bash(UNTIL_GO), say("over"))})
    async with Gate(rig.nats_url) as gate:
        rig.nats_url = gate.url
        await started(parent, rig, limit=0.5)
        await rig.until(lambda log: "active" in log.states())
        await gate.shut()
        (rig.workspace / "go").touch()
        await rig.until(lambda log: any(b'"type":"result"' in line for line in rig.spool_lines()))
        assert await parent.stopped() == 1


async def test_the_proxy_s_ports_are_held_while_the_proxy_is_replaced(parent: ParentProcess, tmp_path: Path) -> None:
    taken = [socket.create_server(("127.0.0.1", parent.port)), socket.create_server(("", parent.metrics_port))]
    (tmp_path / "apiKey").write_text(KEY)
    upstream = {"KIND": "apiKey", "SECRET": str(tmp_path), "URL": "http://127.0.0.1:9"}
    parent.start(tmp_path / "missing.json", env={f"JELMORE_UPSTREAM_{name}": value for name, value in upstream.items()})
    # One after the other, the second of them first.
    await until(lambda: {line["port"] for line in parent.told("proxy's port")} == {parent.port, parent.metrics_port})
    taken[1].close()
    await until(lambda: parent.told("proxy's port")[-1]["port"] == parent.port)
    assert parent.child("jelmore_proxy") is None
    taken[0].close()
    first = await parent.another("jelmore_proxy")
    assert not [name for name in await parent.environ("jelmore_agent.main") if name.startswith("JELMORE_UPSTREAM_")]
    first.kill()
    async with ClientSession() as session:
        async with session.post(f"http://127.0.0.1:{parent.port}/v1/messages") as response:
            assert response.status == 502
        for address in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{address}:{parent.metrics_port}/metrics") as response:
                assert 'jelmore_proxy_requests_total{by="proxy",status="5xx"} 1.0' in await response.text()
    assert parent.child("jelmore_proxy") != first
    for taken_again in (("127.0.0.1", parent.port), ("", parent.metrics_port)):
        with pytest.raises(OSError, match="in use"):
            socket.create_server(taken_again)
