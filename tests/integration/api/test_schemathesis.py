"""The whole API against its own description: Schemathesis with all of its checks, which is its default (named on its
command line, they could not be silenced for a call).
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from jelmore_api.settings import Settings
from jelmore_contract.events import EventType
from tests.support.api import RunningApi, agent_of, mirrored, serving, until

#: Seconds; a longer run finds more: JELMORE_SCHEMATHESIS_SECONDS=600.
SECONDS = int(os.environ.get("JELMORE_SCHEMATHESIS_SECONDS", "60"))
SEED = int(os.environ.get("JELMORE_SCHEMATHESIS_SEED", "20250806"))
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
TOKEN = "the-token-of-this-test"


@pytest.fixture
async def guarded_api(api_settings: Settings) -> AsyncIterator[RunningApi]:
    """That wants a token, so that it is tried without one, too."""
    async with serving(api_settings.model_copy(update={"token": SecretStr(TOKEN)})) as running:
        running.http.headers["Authorization"] = f"Bearer {TOKEN}"
        await until(lambda: _ready(running))
        yield running


async def _ready(running: RunningApi) -> bool:
    return (await running.http.get("/readyz")).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 240)
async def test_nothing_is_answered_that_is_not_described(guarded_api: RunningApi, bus: Client, tmp_path: Path) -> None:
    sessions = {"SESSION_ID": await _full(guarded_api, bus), "FAILED_SESSION_ID": await _failed(guarded_api, bus)}
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "--no-color", "run"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(SECONDS)),
        *("--seed", str(SEED), "--request-timeout", "10"),
        f"{guarded_api.http.base_url}/api/v1/openapi.json",
        cwd=tmp_path,
        env={**os.environ, **sessions, "TOKEN": TOKEN, "SCHEMATHESIS_HOOKS": str(HOOKS), "COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await run.communicate()
    said = output.decode(errors="replace")
    print(said)
    assert run.returncode == 0, f"seed {SEED}\n{said}"
    assert re.search(r"\d+ generated", said)
    assert "WARNINGS" not in said, said


async def _full(api: RunningApi, bus: Client) -> str:
    """A session that has one of everything that the API can be asked for."""
    session_id = await api.create(query="hi", labels={"team": "blue"})
    agent = agent_of(bus, session_id)
    await agent.created()
    await agent.event(EventType.APPROVAL_REQUESTED, approval_id="a", kind="approval", tool_name="Bash", input={})
    diff = {"turn": 1, "files": 1, "insertions": 1, "deletions": 0, "truncated": False, "patch": "+x\n"}
    await agent.event(EventType.DIFF, **diff)
    await mirrored(api, await agent.blob("large", b'{"n":1}'))
    return session_id


async def _failed(api: RunningApi, bus: Client) -> str:
    session_id = await api.create(name="failed")
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.event(EventType.STATE_CHANGED, **{"from": "starting", "to": "failed"}))
    return session_id
