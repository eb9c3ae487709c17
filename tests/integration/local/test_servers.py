"""The three servers as children: started, kept, found again after any end, and refused with a sentence that helps."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.js.api import StreamConfig
from redis.asyncio import Redis

from jelmore_local.servers import Endpoints, Servers, StartError
from jelmore_local.servers.child import Child, Command
from jelmore_local.servers.nats import Nats
from jelmore_local.servers.ports import Ports
from tests.support.processes import arguments_of, eventually, kill_all_of, processes_of, wait_for

#: Starts the servers as a program of its own would, and says when they run.
_PROGRAM = """
import asyncio, sys
from pathlib import Path
from jelmore_local.servers import Servers
async def main():
    async with Servers(Path(sys.argv[1])):
        print("running", flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    assert processes_of(tmp_path / "home") == set()


@contextlib.contextmanager
def running_program(home: Path) -> Iterator[subprocess.Popen[str]]:
    program = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "running\n"
        yield program
    finally:
        program.kill()
        program.communicate()


@contextlib.asynccontextmanager
async def postgres(endpoints: Endpoints) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(endpoints.postgres_url)
    try:
        yield connection
    finally:
        await connection.close()


async def write_something(endpoints: Endpoints) -> None:
    client = await nats.connect(endpoints.nats_url, user_credentials=str(endpoints.nats_credentials))
    await client.jetstream().add_stream(StreamConfig(name="KEPT", subjects=["kept"]))
    await client.jetstream().publish("kept", b"in the log")
    await client.close()
    async with postgres(endpoints) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 'in the table' AS value")


async def read_it_again(endpoints: Endpoints) -> None:
    client = await nats.connect(endpoints.nats_url, user_credentials=str(endpoints.nats_credentials))
    assert (await client.jetstream().get_last_msg("KEPT", "kept")).data == b"in the log"
    await client.close()
    async with postgres(endpoints) as connection:
        assert await connection.fetchval("SELECT value FROM kept") == "in the table"


async def test_a_second_start_finds_everything_where_it_was(home: Path) -> None:
    async with Servers(home) as first:
        await write_something(first)
    async with Servers(home) as second:
        assert second == first
        await read_it_again(second)
        async with Redis.from_url(second.redis_url) as redis:
            assert await redis.ping()


async def test_secrets_stay_secret(home: Path) -> None:
    async with Servers(home) as endpoints:
        secrets = [path.read_text().strip() for path in (home / "secrets").iterdir()]
        assert any(secret in endpoints.postgres_url for secret in secrets)
        for pid in processes_of(home):
            assert not any(secret in arguments_of(pid) for secret in secrets)
        for secret in secrets:
            assert secret not in repr(endpoints)
            assert not any(secret in log.read_text() for log in (home / "logs").iterdir())
    assert home.stat().st_mode & 0o077 == 0
    for path in [*(home / "secrets").iterdir(), home / "nats" / "nats.conf", home / "valkey" / "valkey.conf"]:
        assert path.stat().st_mode & 0o777 == 0o600
    assert not (home / "postgres" / "password").exists()


async def test_strangers_are_not_let_in(home: Path) -> None:
    async with Servers(home) as endpoints:
        without_password = endpoints.postgres_url.replace(endpoints.postgres_url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(without_password)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(endpoints.redis_url.split(":")[3].split("/")[0])
        )
        writer.write(b"GET x\r\n")
        assert (await reader.readline()).startswith(b"-NOAUTH")
        writer.close()


@pytest.mark.skipif(os.getuid() != 0, reason="PostgreSQL changes its user only where it is started by root")
async def test_postgresql_does_not_run_as_root(home: Path) -> None:
    """Even where others cannot enter the folder's own folders."""
    home.parent.chmod(0o700)
    servers = Servers(home)
    await servers.start()
    try:
        status = (Path("/proc") / str(servers.postgres.pid) / "status").read_text()
        assert "\nUid:\t65534\t65534\t65534\t65534\n" in status
        assert "\nGroups:\t \n" in status
    finally:
        await servers.stop()


@pytest.mark.parametrize("key", ["nats", "postgres", "valkey"])
async def test_a_server_that_is_killed_comes_back_where_it_was(home: Path, key: str) -> None:
    servers = Servers(home)
    endpoints = await servers.start()
    try:
        await write_something(endpoints)
        server = next(server for server in servers.own if server.key == key)
        before = server.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)

        async def is_back() -> bool:
            try:
                return server.pid != before and await server.answers()
            except (OSError, asyncio.IncompleteReadError):
                return False

        await eventually(is_back)
        await read_it_again(endpoints)
    finally:
        await servers.stop()


async def test_servers_end_with_whoever_started_them(home: Path) -> None:
    with running_program(home) as program:
        program.kill()
        wait_for(lambda: processes_of(home) == set())


async def test_a_start_waits_for_servers_that_are_still_ending(home: Path) -> None:
    with running_program(home) as program:
        postmaster = int((home / "run" / "postgres.lock").read_text())
        os.kill(postmaster, signal.SIGSTOP)
        program.kill()
        servers = Servers(home)
        starting = asyncio.create_task(servers.start())
        done, _ = await asyncio.wait({starting}, timeout=0.5)
        assert not done
        os.kill(postmaster, signal.SIGCONT)
        await starting
        await servers.stop()


async def test_a_start_after_everything_was_killed(home: Path) -> None:
    with running_program(home):
        kill_all_of(home)
    wait_for(lambda: processes_of(home) == set())
    async with Servers(home) as endpoints:
        await write_something(endpoints)


async def test_a_start_after_a_crash_when_another_program_has_the_pid_of_then(home: Path) -> None:
    with running_program(home):
        kill_all_of(home)
    wait_for(lambda: processes_of(home) == set())
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    other = await asyncio.create_subprocess_exec("sleep", "60", user=pid_file.stat().st_uid)
    try:
        pid_file.write_text(f"{other.pid}\n" + pid_file.read_text().split("\n", 1)[1])
        async with Servers(home) as endpoints:
            await write_something(endpoints)
    finally:
        other.kill()
        await other.wait()


async def test_a_start_after_one_that_was_cut_off_while_it_made_the_data(home: Path) -> None:
    (home / "postgres" / "data.new" / "base").mkdir(parents=True)
    (home / "postgres" / "password").write_text("old")
    async with Servers(home) as endpoints:
        await write_something(endpoints)


async def test_a_port_that_somebody_took_is_replaced(home: Path) -> None:
    async with Servers(home):
        pass
    ports = json.loads((home / "run" / "ports.json").read_text())
    with contextlib.ExitStack() as stack:
        for port in ports.values():
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        async with Servers(home) as endpoints:
            await write_something(endpoints)
    assert set(ports.values()).isdisjoint(json.loads((home / "run" / "ports.json").read_text()).values())


async def test_a_nats_server_that_took_the_port_a_moment_before_is_not_taken_for_ours(
    home: Path, fresh_nats: Nats
) -> None:
    class Late(Ports):
        """Finds the other's port free once more."""

        def take(self, name: str) -> int:
            taken, self.take = fresh_nats.port, super().take  # type: ignore[method-assign]  # the first time only
            return taken

    for name in ("run", "logs", "secrets"):
        (home / name).mkdir(parents=True)
    server = Nats(home, Late(home / "run" / "ports.json"))
    await server.start()
    try:
        assert server.port != fresh_nats.port
        client = await nats.connect(server.url, user_credentials=str(server.credentials))
        await client.close()
    finally:
        await server.stop()


async def test_what_a_program_prints_at_once_is_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where we come to look only after it has printed, as on a busy machine."""
    log = tmp_path / "log"
    log.write_text("of an earlier start\n")
    start = asyncio.create_subprocess_exec

    async def late(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", late)
    child = await Child.start(Command("x", ["/bin/echo", "hello"], tmp_path, log, tmp_path / "lock"))
    assert child.output() == "hello\n"


def _damage(home: Path, what: str) -> None:
    stream = next((home / "nats" / "jetstream").glob("*/streams/KEPT"))
    data = home / "postgres" / "data"
    actions: dict[str, Callable[[], object]] = {
        "PG_VERSION missing": (data / "PG_VERSION").unlink,
        "PG_VERSION empty": lambda: (data / "PG_VERSION").write_text(""),
        "PG_VERSION older": lambda: (data / "PG_VERSION").write_text("12\n"),
        "pg_control garbage": lambda: (data / "global" / "pg_control").write_bytes(b"x" * 8192),
        "pg_wal gone": lambda: shutil.rmtree(data / "pg_wal"),
        "PostgreSQL's password gone": (home / "secrets" / "postgres-password").unlink,
        "stream's description garbage": lambda: (stream / "meta.inf").write_text("garbage"),
        "stream's description gone": (stream / "meta.inf").unlink,
        "JetStream's folder is a file": lambda: (
            shutil.rmtree(home / "nats" / "jetstream"),
            (home / "nats" / "jetstream").write_text(""),
        ),
        "NATS keys gone": (home / "secrets" / "nats-keys.json").unlink,
        "NATS keys garbage": lambda: (home / "secrets" / "nats-keys.json").write_text('{"operator": "S"}'),
        "data folder is a file": lambda: (shutil.rmtree(home / "valkey"), (home / "valkey").write_text("")),
    }
    actions[what]()


@pytest.mark.parametrize(
    ("what", "named", "remedy"),
    [
        ("PG_VERSION missing", "postgres/data", "restore it from a backup"),
        ("PG_VERSION empty", "postgres/data", "restore it from a backup"),
        ("PG_VERSION older", "PostgreSQL 12", "pg_upgrade"),
        ("pg_control garbage", "postgres", "restore that folder from a backup"),
        ("pg_wal gone", "postgres", "restore that folder from a backup"),
        ("PostgreSQL's password gone", "secrets/postgres-password", "restore it from a backup"),
        ("stream's description garbage", "the stream KEPT", "restore it from a backup"),
        ("stream's description gone", "the stream KEPT", "restore it from a backup"),
        ("JetStream's folder is a file", "/nats", "restore that folder from a backup"),
        ("NATS keys gone", "secrets/nats-keys.json", "restore it from a backup"),
        ("NATS keys garbage", "secrets/nats-keys.json", "restore it from a backup"),
        ("data folder is a file", "/valkey", "."),
    ],
)
async def test_damaged_data(home: Path, what: str, named: str, remedy: str) -> None:
    async with Servers(home) as endpoints:
        await write_something(endpoints)
    _damage(home, what)
    with pytest.raises(StartError) as caught:
        await Servers(home).start()
    sentence = str(caught.value)
    assert named in sentence
    assert remedy in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


async def test_a_data_folder_of_postgresql_that_was_given_to_another_user(home: Path) -> None:
    async with Servers(home):
        pass
    (home / "postgres" / "data").chmod(0o755)
    with pytest.raises(StartError, match="PostgreSQL"):
        await Servers(home).start()


async def test_a_full_disk(tmp_path: Path) -> None:
    """At the first start, on a disk that has room for some of it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=12m", "jelmore-test", disk)
    if await mount.wait() != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        with pytest.raises(StartError, match=r"^The disk that holds .* is full: make room"):
            await Servers(disk / "home").start()
        wait_for(lambda: processes_of(disk) == set())
    finally:
        await (await asyncio.create_subprocess_exec("umount", "--lazy", disk)).wait()


async def test_servers_elsewhere_are_not_started(home: Path) -> None:
    external = {"postgres": "postgresql://elsewhere/x", "valkey": "redis://elsewhere"}
    async with Servers(home, external) as endpoints:
        assert (endpoints.postgres_url, endpoints.redis_url) == ("postgresql://elsewhere/x", "redis://elsewhere")
        assert not (home / "postgres").exists()
        assert len(processes_of(home)) == 1
