"""`python -m jelmore_api` as a process: how it starts, ends, and what it writes."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from jelmore_api.settings import Settings
from tests.support.api import until
from tests.support.ports import free_port

TOKEN = "correct horse battery staple"


@contextlib.asynccontextmanager
async def started(environment: Mapping[str, str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JELMORE_")}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jelmore_api"), env={**inherited, **environment}, stdout=log, stderr=log, cwd=folder
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def environment(settings: Settings) -> dict[str, str]:
    return {
        "JELMORE_PORT": str(free_port()),
        "JELMORE_TOKEN": TOKEN,
        "JELMORE_HOME": str(settings.home),
        "JELMORE_NATS_URL": settings.nats_url.get_secret_value(),
        "JELMORE_NATS_CREDENTIALS": str(settings.nats_credentials),
        "JELMORE_DATABASE_URL": settings.database_url.get_secret_value(),
        "JELMORE_REDIS_URL": settings.redis_url.get_secret_value(),
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_asked_to_stop(
    api_settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    given = environment(api_settings)
    async with (
        started(given, tmp_path) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{given['JELMORE_PORT']}", timeout=30) as http,
    ):

        async def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await http.get("/readyz")).status_code == 200
            return False

        await until(ready)
        answer = await http.post(
            "/api/v1/session", json={"query": "a private matter"}, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.status_code == 201
        process.send_signal(number)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    written = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert any(line.get("path") == "/api/v1/session" for line in lines)
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
    passwords = [httpx.URL(given[name]).password for name in ("JELMORE_DATABASE_URL", "JELMORE_REDIS_URL")]
    for secret in (TOKEN, "a private matter", *passwords):
        assert secret
        assert secret not in written


async def test_it_lets_nobody_in_from_elsewhere_without_a_token(tmp_path: Path) -> None:
    async with started({"JELMORE_HOST": "0.0.0.0"}, tmp_path) as process:
        async with asyncio.timeout(60):
            assert await process.wait() == 1
    written = (tmp_path / "log").read_text()
    assert written.count("\n") == 1
    assert "JELMORE_TOKEN" in written
    assert written.endswith(".\n")
