"""`jelmore up` from start to end, as a process of its own with the real parts."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import pytest
from redis.asyncio import Redis

from jelmore_local.servers import Endpoints
from jelmore_local.servers.ports import is_free
from tests.support.ports import free_port
from tests.support.processes import arguments_of, kill_all_of, processes_of, wait_for
from tests.support.up import Up

SENTENCE_ONLY = 1


async def test_first_start_then_second(up: Up) -> None:
    up.start()
    assert up.call("GET", "/readyz")["model"] == "demo"
    endpoints = up.endpoints()
    assert endpoints.keys() == {"api", "nats", "postgres", "redis"}
    assert endpoints["api"] == {"url": up.url}
    assert (up.home / "endpoints.json").stat().st_mode & 0o777 == 0o600
    client = await nats.connect(endpoints["nats"]["url"], user_credentials=endpoints["nats"]["credentials"])
    await client.jetstream().stream_info("JELMORE")
    await client.close()
    connection = await asyncpg.connect(endpoints["postgres"]["url"])
    assert await connection.fetchval("SELECT count(*) FROM events") == 0
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS value")
    await connection.close()
    async with Redis.from_url(endpoints["redis"]["url"]) as redis:
        assert await redis.ping()

    code, out, err = up.stop()
    assert (code, err) == (0, "")
    assert up.url in out
    assert "DEMO" in out
    assert processes_of(up.home) == set()
    assert not (up.home / "endpoints.json").exists()

    up.start()
    assert up.endpoints() == endpoints
    connection = await asyncpg.connect(endpoints["postgres"]["url"])
    assert await connection.fetchval("SELECT value FROM kept") == 1
    await connection.close()
    assert up.stop()[0] == 0


@pytest.mark.real_cli
def test_a_session_sleeps_while_jelmore_is_stopped_and_wakes_by_an_input(up: Up) -> None:
    up.start()
    created = up.call("POST", "/api/v1/session", {"query": "Help me create a Python FastAPI application"})
    path = f"/api/v1/session/{created['id']}"
    wait_for(lambda: up.call("GET", path)["status"] == "idle", 60)
    code, _, err = up.stop()
    assert (code, err) == (0, "")
    assert processes_of(up.home) == set()

    up.start()
    # What was told last may not have reached the API before it was stopped: it goes on from there now.
    wait_for(lambda: up.call("GET", path)["status"] == "hibernated")
    turns = up.call("GET", path)["usage"]["turns"]
    up.call("POST", f"{path}/input", {"text": "And now a test for it"})

    def answered() -> bool:
        session = up.call("GET", path)
        return bool(session["status"] == "idle" and session["usage"]["turns"] > turns)

    wait_for(answered, 60)
    assert up.stop()[0] == 0


@pytest.mark.real_cli
def test_a_session_is_resumed_after_everything_was_killed(up: Up) -> None:
    up.start()
    created = up.call("POST", "/api/v1/session", {"query": "Help me create a Python FastAPI application"})
    path = f"/api/v1/session/{created['id']}"
    wait_for(lambda: up.call("GET", path)["status"] == "idle", 60)
    kill_all_of(up.home)
    wait_for(lambda: processes_of(up.home) == set())
    up.end()
    (up.home / "endpoints.json").unlink()

    up.start()
    wait_for(lambda: up.call("GET", path)["status"] in ("idle", "hibernated"), 60)
    assert up.stop()[0] == 0


def test_after_its_own_death_the_servers_end_and_a_start_finds_all(up: Up) -> None:
    up.start()
    up.signal(signal.SIGKILL)
    up.end()
    (up.home / "endpoints.json").unlink()
    # At once: the servers and the API of before may still be ending.
    up.start()
    assert up.answers()
    assert up.stop()[0] == 0


@pytest.mark.parametrize("key", ["api", "demo", "nats", "postgres", "valkey"])
def test_a_part_that_is_killed_comes_back(up: Up, key: str) -> None:
    up.start()
    killed = up.pid_of(key)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: up.pid_of(key) != killed)
    wait_for(up.answers)
    assert up.stop()[0] == 0


def test_a_second_one_on_the_same_folder(up: Up) -> None:
    up.start()
    second = Up(up.home, up.port)
    second.spawn()
    code, out, err = second.end()
    assert code == 1
    assert out == ""
    assert err.startswith(f"Jelmore already runs on {up.home}")
    assert len(err.splitlines()) == SENTENCE_ONLY
    assert up.answers()
    assert up.stop()[0] == 0


def test_a_port_in_use(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.port)):
        up.spawn()
        code, _, err = up.end()
    assert (code, len(err.splitlines())) == (1, SENTENCE_ONLY)
    assert f"Port {up.port} of 127.0.0.1 is in use" in err
    assert "JELMORE_PORT" in err
    assert not (up.home / "postgres").exists()  # nothing was started


def test_a_damaged_folder(up: Up) -> None:
    (up.home / "postgres" / "data").mkdir(parents=True)
    up.spawn()
    code, _, err = up.end()
    assert (code, len(err.splitlines())) == (1, SENTENCE_ONLY)
    assert f"{up.home / 'postgres' / 'data'} is damaged" in err
    assert "restore it from a backup" in err


def test_a_folder_that_is_none(up: Up) -> None:
    up.home.write_text("")
    up.spawn()
    code, _, err = up.end()
    assert (code, len(err.splitlines())) == (1, SENTENCE_ONLY)
    assert str(up.home) in err


def test_a_database_that_cannot_be_reached(up: Up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    up.extra = {"JELMORE_DATABASE_URL": f"postgresql://me:hidden-password@127.0.0.1:{port}/x"}
    process = up.spawn()
    assert process.stdout is not None
    told = "Waiting for PostgreSQL (JELMORE_DATABASE_URL): it refuses connections: start it, or correct its address.\n"
    assert process.stdout.readline() == told
    code, out, err = up.stop()
    assert (code, err) == (0, "")
    assert "Waiting" not in out  # said once
    assert "hidden-password" not in "".join(log.read_text() for log in (up.home / "logs").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start(up: Up, number: signal.Signals) -> None:
    up.spawn()
    wait_for((up.home / "run" / "postgres.lock").exists)
    up.signal(number)
    code, _, err = up.end()
    assert (code, err) == (0, "")


def test_ctrl_c_in_a_terminal_reaches_the_children_in_order(up: Up) -> None:
    """The terminal signals the whole process group: our children are none of it."""
    up.start()
    assert up.process is not None
    for pid in processes_of(up.home) - {up.process.pid}:
        with contextlib.suppress(ProcessLookupError):
            assert os.getpgid(pid) != os.getpgid(up.process.pid)
    up.signal(signal.SIGINT)
    code, _, err = up.end()
    assert (code, err) == (0, "")


def test_credentials_go_to_sessions_and_nowhere_else(up: Up) -> None:
    up.extra = {"ANTHROPIC_API_KEY": "sk-very-secret", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    up.start()
    assert up.process is not None
    assert up.call("GET", "/readyz")["model"] == "claude"
    for pid in processes_of(up.home) - {up.process.pid}:
        assert "sk-very-secret" not in arguments_of(pid)
        assert b"sk-very-secret" not in (Path("/proc") / str(pid) / "environ").read_bytes()
    code, out, _ = up.stop()
    assert code == 0
    assert "ANTHROPIC_BASE_URL, with ANTHROPIC_API_KEY" in out
    for file in up.home.rglob("*"):
        if file.is_file():
            assert b"sk-very-secret" not in file.read_bytes()
    assert not (up.home / "run" / "demo.lock").exists()


def test_settings_from_a_file(up: Up) -> None:
    (up.home.parent / ".env").write_text("JELMORE_TOKEN=0123456789abcdef\nCLAUDE_CODE_OAUTH_TOKEN=from-the-file\n")
    up.start()
    code, out, _ = up.stop()
    assert code == 0
    assert "CLAUDE_CODE_OAUTH_TOKEN" in out
    assert "Authorization: Bearer $JELMORE_TOKEN" in out
    assert "from-the-file" not in out


def active_session(up: Up) -> str:
    """A session whose turn does not end, with a program that does not want to. Its id."""
    script = [{"tool": "Bash", "input": {"command": "trap '' TERM INT HUP; while true; do sleep 1.25; done"}}]
    query = f"@@{json.dumps(script)}@@"
    session: str = up.call("POST", "/api/v1/session", {"query": query, "allowed_tools": ["Bash"]})["id"]
    wait_for(lambda: any("sleep 1.25" in arguments_of(pid) for pid in processes_of(up.home)), 60)
    # Status and mirror hear of the turn by other ways than the program that runs in it.
    wait_for(lambda: up.call("GET", f"/api/v1/session/{session}")["status"] == "active")
    return session


@pytest.mark.real_cli
def test_stopping_in_the_middle_of_a_turn(up: Up) -> None:
    up.start()
    active_session(up)
    code, _, err = up.stop()
    assert (code, err) == (0, "")
    assert processes_of(up.home) == set()


@pytest.mark.real_cli
def test_a_second_ctrl_c_waits_for_nothing(up: Up) -> None:
    up.start()
    session = active_session(up)
    # What would be waited for until the limit of 25 s.
    os.kill(int((up.home / "sessions" / session / "launcher.pid").read_text().split()[0]), signal.SIGSTOP)
    assert up.process is not None
    up.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        up.process.wait(1.5)
    up.signal(signal.SIGINT)
    began = time.monotonic()
    code, out, err = up.end()
    assert time.monotonic() - began < 15
    assert (code, err) == (0, "")
    assert "Stopping without waiting" in out
    assert processes_of(up.home) == set()


@pytest.fixture
def open_nats(tmp_path: Path) -> Iterator[str]:
    """A NATS server without users, as in compose.yaml: its URL."""
    port = free_port()
    configuration = tmp_path / "open.conf"
    configuration.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path}/open" }}\n')
    binary = Path(sysconfig.get_path("scripts")) / "nats-server"
    with subprocess.Popen([binary, "--config", configuration], stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: not is_free(port))
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.mark.real_cli
async def test_servers_of_ones_own(up: Up, open_nats: str, endpoints: Endpoints, database_url: str) -> None:
    up.extra = {
        "JELMORE_NATS_URL": open_nats,
        "JELMORE_DATABASE_URL": database_url,
        "JELMORE_REDIS_URL": endpoints.redis_url,
    }
    up.start()
    assert {path.name for path in (up.home / "run").iterdir()} == {"api.lock", "demo.lock", "ports.json"}
    told = up.endpoints()
    assert told["nats"]["url"] == open_nats
    assert told["postgres"] == {"url": database_url}
    session = up.call("POST", "/api/v1/session", {"query": "Hello"})["id"]
    wait_for(lambda: up.call("GET", f"/api/v1/session/{session}")["status"] == "idle", 60)
    assert up.stop()[0] == 0
