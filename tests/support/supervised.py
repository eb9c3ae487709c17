"""A supervisor with real servers, launchers and agents, and a stand-in for the CLI that is quick to start."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats.js.errors
import pytest
from nats.aio.client import Client
from nats.js.api import KeyValueConfig, StreamConfig

from jelmore_contract.commands import CommandKind, InputCommand, encode_command
from jelmore_contract.events import decode_event, rfc3339
from jelmore_contract.resource import RETRY_AT, ClaudeSession, SessionStatus
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import (
    BUCKET,
    STREAM,
    STREAM_SUBJECTS,
    SessionKey,
    command_subject,
    session_events,
    spec_key,
    status_key,
)
from jelmore_local.servers.nats import Nats
from jelmore_operator.bus.log import key_of
from jelmore_operator.identity import Identity
from jelmore_operator.process.supervisor import Supervisor, SupervisorSettings
from tests.support.servers import connect

LIMIT = 60.0  # the real CLI takes its time on a machine that is busy
_ROOT = Path(__file__).parents[2]

# Says what the agent needs to hear, in the CLI's words. "sleep" makes a turn that only SIGTERM ends.
_CLI = f"""#!{sys.executable}
import json, signal, subprocess, sys
def say(**frame): print(json.dumps(frame), flush=True)
def state(word): say(type="system", subtype="session_state_changed", state=word, session_id="c")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
for line in sys.stdin:
    frame = json.loads(line)
    if frame["type"] == "control_request":
        answer = {{"subtype": "success", "request_id": frame["request_id"], "response": {{}}}}
        say(type="control_response", response=answer)
    elif frame["type"] == "user":
        text = str(frame["message"]["content"])
        say(type="command_lifecycle", command_uuid=frame["uuid"], state="started")
        state("running")
        if "spawn" in text:
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
        if "sleep" in text:
            signal.pause()
        cost = {{"usage": {{}}, "total_cost_usd": 0.1}}
        say(type="result", subtype="success", is_error=False, result="ok", session_id="c", **cost)
        say(type="command_lifecycle", command_uuid=frame["uuid"], state="completed")
        state("idle")
"""


@dataclass
class Supervised:
    """`settings` are for the supervisor; sessions are made as the API makes them."""

    settings: SupervisorSettings
    client: Client
    seen: dict[SessionKey, ClaudeSession] = field(default_factory=dict)

    async def make_streams(self) -> None:
        """The log and the bucket, as the API makes them."""
        config = StreamConfig(
            name=STREAM,
            subjects=list(STREAM_SUBJECTS),
            allow_direct=True,
            allow_atomic=True,
        )
        await self.client.jetstream().add_stream(config)
        await self.client.jetstream().create_key_value(KeyValueConfig(bucket=BUCKET))

    async def create(self, **spec: Any) -> SessionKey:
        metadata = {"name": "a", "uid": uuid.uuid4(), "creation_timestamp": datetime.now(UTC)}
        resource = ClaudeSession.model_validate({"metadata": metadata, "spec": spec})
        key = key_of(resource)
        await self.put(key, resource)
        return key

    async def put(self, key: SessionKey, resource: ClaudeSession) -> None:
        self.seen[key] = resource
        document = resource.to_document()
        del document["status"]
        await self.put_text(spec_key(key), json.dumps(document))

    async def put_text(self, name: str, text: str) -> None:
        await (await self.client.jetstream().key_value(BUCKET)).put(name, text.encode())

    async def delete(self, key: SessionKey) -> None:
        metadata = self.seen[key].metadata.model_copy(update={"deletion_timestamp": datetime.now(UTC)})
        await self.put(key, self.seen[key].model_copy(update={"metadata": metadata}))

    async def suspend(self, key: SessionKey, suspend: bool) -> None:
        await self.change(key, {"lifecycle": {"suspend": suspend}})

    async def change(self, key: SessionKey, spec: dict[str, Any]) -> None:
        """Replaces these fields of the spec; those of an object in it one by one."""
        document = self.seen[key].to_document()
        for name, value in spec.items():
            document["spec"][name] = {**document["spec"][name], **value} if isinstance(value, dict) else value
        document["metadata"]["generation"] += 1
        await self.put(key, ClaudeSession.model_validate(document))

    async def retry(self, key: SessionKey) -> None:
        annotations = {RETRY_AT: rfc3339(datetime.now(UTC))}
        metadata = self.seen[key].metadata.model_copy(update={"annotations": annotations})
        await self.put(key, self.seen[key].model_copy(update={"metadata": metadata}))

    async def label(self, key: SessionKey, **labels: str) -> None:
        metadata = self.seen[key].metadata.model_copy(update={"labels": labels})
        await self.put(key, self.seen[key].model_copy(update={"metadata": metadata}))

    async def input(self, key: SessionKey, text: str) -> None:
        command = InputCommand(str(uuid.uuid4()), text)
        body = encode_command(command, str(uuid.uuid4()), key.session_id, rfc3339(datetime.now(UTC)))
        await self.client.jetstream().publish(command_subject(key, CommandKind.INPUT), body)

    async def value(self, name: str) -> bytes | None:
        try:
            return (await (await self.client.jetstream().key_value(BUCKET)).get(name)).value
        except nats.js.errors.KeyNotFoundError:
            return None

    async def status(self, key: SessionKey) -> SessionStatus:
        text = await self.value(status_key(key))
        return SessionStatus() if text is None else SessionStatus.model_validate_json(text)

    async def until_turn(self, key: SessionKey, turns: int) -> SessionStatus:
        """Waits until the session is idle after so many turns in all."""
        return await self.until(key, lambda status: status.usage.turns >= turns and status.state is SessionState.IDLE)

    async def until_state(self, key: SessionKey, state: SessionState, run: int = 0) -> SessionStatus:
        """Waits until the status has this state, in this run at the earliest."""
        return await self.until(
            key, lambda status: status.state is state and status.observed_generation > 0 and status.run >= run
        )

    async def until(self, key: SessionKey, check: Callable[[SessionStatus], bool]) -> SessionStatus:
        async def checked() -> bool:
            return check(await self.status(key))

        if not await _within_limit(checked):
            logs = [path.read_text()[-3000:] for path in (self.folder(key) / "logs").glob("*.log")]
            pytest.fail(f"still {await self.status(key)}; its logs: {'\n'.join(logs)}")
        return await self.status(key)

    async def until_true(self, check: Callable[[], Awaitable[bool]]) -> None:
        assert await _within_limit(check)

    async def until_gone(self, key: SessionKey) -> None:
        """Waits until the resource is no more."""

        async def gone() -> bool:
            return await self.value(spec_key(key)) is None

        assert await _within_limit(gone), f"still there: {await self.status(key)}"

    async def descriptions(self, key: SessionKey, least: int = 0) -> list[dict[str, Any]]:
        """What `session.spec_changed` told, once there are so many."""

        async def told() -> list[dict[str, Any]]:
            return [payload for kind, payload in await self.events(key) if kind == "session.spec_changed"]

        async def checked() -> bool:
            return len(await told()) >= least

        assert await _within_limit(checked)
        return await told()

    async def events(self, key: SessionKey) -> list[tuple[str, Any]]:
        """Type and payload of every event in the log."""
        jetstream = self.client.jetstream()
        events, seq = [], 0
        with contextlib.suppress(nats.js.errors.NotFoundError):
            while True:
                message = await jetstream.get_msg(STREAM, seq + 1, session_events(key), next=True)
                assert message.seq is not None
                assert message.data is not None
                seq, event = message.seq, decode_event(message.data)
                events.append((event.event_type, json.loads(event.payload)))
        return events

    async def states(self, key: SessionKey) -> list[str]:
        return [payload["to"] for kind, payload in await self.events(key) if kind == "session.state_changed"]

    def folder(self, key: SessionKey) -> Path:
        return self.settings.home / "sessions" / key.session_id

    def pid(self, key: SessionKey, part: str) -> int:
        """Of the `launcher` or the `agent`, as recorded."""
        record = json.loads((self.folder(key) / "runtime.json").read_bytes())
        pid: int = record[part]["pid"]
        return pid

    def processes(self, key: SessionKey) -> list[int]:
        """All that have anything to do with the session."""
        return [pid for pid, text in _processes() if key.session_id.encode() in text]

    def kill_all(self, key: SessionKey) -> None:
        """All of these. One may go by itself as soon as another has."""
        for pid in self.processes(key):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cli(self, key: SessionKey) -> int | None:
        launcher = self.pid(key, "launcher")
        for pid, text in _processes():
            if str(self.settings.claude).encode() in text and _parent(pid) == launcher:
                return pid
        return None


async def _within_limit(check: Callable[[], Awaitable[bool]]) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT):
            while True:
                if await check():
                    return True
                await asyncio.sleep(0.02)
    return False


async def eventually(check: Callable[[], object]) -> None:
    """Waits until `check` gives something."""

    async def checked() -> bool:
        return bool(check())

    assert await _within_limit(checked)


@asynccontextmanager
async def supervising(settings: SupervisorSettings) -> AsyncIterator[Supervisor]:
    """In this process; stopped with the block."""
    supervisor = Supervisor(settings)
    running = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        await asyncio.wait([asyncio.ensure_future(supervisor.stop()), running], timeout=LIMIT)
        await running


@contextmanager
def supervisor_process(settings: SupervisorSettings) -> Iterator[subprocess.Popen[bytes]]:
    """In a process of its own, to be killed; it is with the block."""
    arguments = [str(settings.home), settings.nats_url, str(settings.nats_credentials), str(settings.claude)]
    with (settings.home / "supervisor.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.support.supervised", *arguments]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _processes() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                texts = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
                if texts[0]:  # a zombie has none
                    yield int(entry.name), b"\0".join(texts)


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return 0


@pytest.fixture
async def supervised(fresh_nats: Nats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervised]:
    """Everything but the supervisor itself. What still runs of its sessions is killed at the end."""
    # Claude Code's shell is one of login: what the profile of whoever runs the tests does there may take a minute.
    monkeypatch.setenv("HOME", str(tmp_path))
    client = await connect(fresh_nats.url, fresh_nats.credentials)
    cli = tmp_path / "claude-stand-in"
    cli.write_text(_CLI)
    cli.chmod(0o755)
    home = tmp_path / "h"
    home.mkdir()
    settings = _settings(home, fresh_nats.url, fresh_nats.credentials, cli)
    rig = Supervised(settings, client)
    await rig.make_streams()
    yield rig
    await client.close()
    for key in rig.seen:
        rig.kill_all(key)


def _settings(home: Path, url: str, credentials: Path, cli: Path) -> SupervisorSettings:
    return SupervisorSettings(
        home=home,
        nats_url=url,
        nats_credentials=credentials,
        identity=Identity.load(credentials.with_name("nats-keys.json")),
        claude=cli,
        cli_environment={"ANTHROPIC_API_KEY": "a-secret"},
        shutdown_limit=15,
    )


if __name__ == "__main__":
    home, url, credentials, cli = sys.argv[1:]
    asyncio.run(Supervisor(_settings(Path(home), url, Path(credentials), Path(cli))).run())
