"""One session for real without an API: NATS, launcher, agent and the real CLI against the demo model, and a reader of
its log.
"""

import asyncio
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.bus import consumer_name
from jelmore_contract.commands import (
    AnswerCommand,
    Command,
    ConfigureCommand,
    InputCommand,
    InterruptCommand,
    encode_command,
)
from jelmore_contract.events import decode_event, now, payload_line
from jelmore_contract.report import Report
from jelmore_contract.states import Decision
from jelmore_contract.subjects import (
    STREAM,
    SessionKey,
    command_subject,
    parse_subject,
    report_subject,
    session_blobs,
    session_commands,
    session_events,
)
from jelmore_operator.identity import Identity
from tests.support.launcher import LAUNCHER
from tests.support.own_nats import OwnNats

LIMIT = 30.0  # seconds that a test waits for anything


def claude_binary() -> str:
    """The pinned CLI; its package is found without being imported, which would cost 0.65 s."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(spec.submodule_search_locations[0]) / "_bundled" / "claude")


async def eventually(check: Callable[[], Any], limit: float = LIMIT, what: str = "") -> Any:
    """Waits until `check()` is truthy and returns it."""
    async with asyncio.timeout(limit):
        while not (result := check()):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    return result


@dataclass
class Seen:
    """An event as it was read from the stream."""

    seq: int
    id: str
    type: str
    encoding: str | None
    raw: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.raw)


class Log:
    """Everything that is stored of one session, read live and in order."""

    def __init__(self, key: SessionKey) -> None:
        self.key = key
        self.events: list[Seen] = []
        self.report: Report | None = None
        self.blobs: dict[str, dict[int, bytes]] = {}

    async def follow(self, client: Client) -> None:
        """By one consumer: an event that names a blob comes behind the blob's chunks, as it was stored."""
        subjects = [session_events(self.key), report_subject(self.key), session_blobs(self.key)]
        config = ConsumerConfig(filter_subjects=subjects)
        await client.jetstream().subscribe("", stream=STREAM, config=config, ordered_consumer=True, cb=self._take)

    async def _take(self, message: Msg) -> None:
        match parse_subject(message.subject).category:
            case "event":
                await self._event(message)
            case "agent":
                await self._report(message)
            case _:
                await self._blob(message)

    async def _event(self, message: Msg) -> None:
        event = decode_event(message.data)
        seen = Seen(message.metadata.sequence.stream, event.id, event.event_type[8:], event.encoding, event.payload)
        self.events.append(seen)

    async def _report(self, message: Msg) -> None:
        self.report = msgspec.json.decode(message.data, type=Report)

    async def _blob(self, message: Msg) -> None:
        name, _, chunk = parse_subject(message.subject).rest.partition(".")
        self.blobs.setdefault(name, {}).setdefault(int(chunk), message.data)

    def of(self, kind: str) -> list[Seen]:
        return [event for event in self.events if event.type == kind]

    def payloads(self, kind: str) -> list[Any]:
        return [event.payload for event in self.of(kind)]

    def states(self) -> list[str]:
        return [payload["to"] for payload in self.payloads("state_changed")]

    def input_states(self, input_id: str) -> list[str]:
        return [p["state"] for p in self.payloads("input") if p["input_id"] == input_id]

    def lines(self) -> list[bytes]:
        """The CLI's lines as the log has them."""
        return [self._line(event) for event in self.of("output")]

    def _line(self, event: Seen) -> bytes:
        if event.encoding != "blob":
            return payload_line(event.raw, event.encoding)
        named = event.payload
        whole = b"".join(part for _, part in sorted(self.blobs[named["blob"]].items()))
        assert len(whole) == named["size"]
        return payload_line(whole, named.get("encoding"))


def outputs(count: int) -> Callable[[Log], bool]:
    """That many lines of the CLI, or more, are in the log."""
    return lambda log: len(log.of("output")) >= count


@dataclass
class Rig:
    """`nats_url`: what the agent connects to; a test may put a proxy in between."""

    folder: Path
    nats_url: str
    identity: Identity
    client: Client
    model_url: str
    key: SessionKey = field(default_factory=lambda: SessionKey("default", str(uuid.uuid4())))
    settings: dict[str, Any] = field(default_factory=dict)
    claude: str = field(default_factory=claude_binary)
    agent: subprocess.Popen[bytes] | None = None
    launcher: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.log = Log(self.key)
        self.spool = self.folder / "spool"
        self.workspace = self.folder / "workspace"
        self.workspace.mkdir(parents=True)
        (self.folder / "nonce").write_text(secrets.token_hex(16))
        (self.folder / "nats.creds").write_text(self.identity.session_credentials(self.key))

    def config(self) -> AgentConfig:
        return AgentConfig(
            session_id=self.key.session_id,
            namespace=self.key.namespace,
            nats_url=self.nats_url,
            nats_credentials=str(self.folder / "nats.creds"),
            folder=str(self.spool),
            socket=str(self.folder / "agent.sock"),
            nonce_file=str(self.folder / "nonce"),
            workspace=str(self.workspace),
            claude=self.claude,
            claude_config_dir=str(self.folder / "claude"),
            claude_tmp=str(self.folder),
            **({"approval_timeout": 600} | self.settings),
        )

    async def start(self) -> None:
        await self.client.jetstream().add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=consumer_name(self.key),
                filter_subject=session_commands(self.key),
                ack_policy=AckPolicy.EXPLICIT,
                deliver_policy=DeliverPolicy.ALL,
                max_ack_pending=1,
                ack_wait=2,
            ),
        )
        await self.log.follow(self.client)
        self.start_agent()
        self.start_launcher()

    def start_agent(self, *options: str) -> None:
        config = self.folder / "agent.json"
        config.write_bytes(msgspec.json.encode(self.config()))
        self.agent = self._spawn([sys.executable, "-m", "jelmore_agent.main", *options, str(config)], "agent.log", {})

    def start_launcher(self) -> None:
        argv = [sys.executable, "-I", "-S", str(LAUNCHER), "--socket", str(self.folder / "agent.sock")]
        argv += ["--pid-file", str(self.folder / "launcher.pid"), "--nonce-file", str(self.folder / "nonce")]
        env = {"ANTHROPIC_BASE_URL": self.model_url, "ANTHROPIC_API_KEY": "demo", "HOME": str(self.folder)}
        self.launcher = self._spawn(argv, "launcher.log", env)

    def _spawn(self, argv: list[str], log: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as out:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={
                    "PATH": os.environ["PATH"],
                    **_identity_env(),
                    **env,
                },
                start_new_session=True,
            )

    def second_agent(self, folder: Path) -> subprocess.Popen[bytes]:
        """Another agent on the same disk, with a socket of its own that no launcher knows."""
        folder.mkdir()
        config = folder / "agent.json"
        config.write_bytes(
            msgspec.json.encode(msgspec.structs.replace(self.config(), socket=str(folder / "agent.sock")))
        )
        return self._spawn([sys.executable, "-m", "jelmore_agent.main", str(config)], "zombie.log", {})

    async def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        await asyncio.to_thread(self.agent.wait)

    async def restart_agent(self) -> None:
        await self.kill_agent()
        self.start_agent()

    def cli_pid(self) -> int | None:
        """The CLI that the launcher owns now."""
        assert self.launcher is not None
        path = Path(f"/proc/{self.launcher.pid}/task/{self.launcher.pid}/children")
        for pid in path.read_text().split():
            try:
                if Path(f"/proc/{pid}/exe").readlink() == Path(self.claude).resolve():
                    return int(pid)
            except OSError:
                continue
        return None

    def kill_cli(self) -> None:
        pid = self.cli_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def send(self, command: Command) -> int:
        kind = {
            InputCommand: "input",
            InterruptCommand: "interrupt",
            AnswerCommand: "answer",
            ConfigureCommand: "configure",
        }[type(command)]
        data = encode_command(command, str(uuid.uuid4()), self.key.session_id, now())
        ack = await self.client.jetstream().publish(command_subject(self.key, kind), data)
        return ack.seq

    async def input(self, text: str, input_id: str | None = None) -> str:
        input_id = input_id or str(uuid.uuid4())
        await self.send(InputCommand(input_id, text))
        return input_id

    async def answer(self, approval_id: str, decision: Decision, **more: Any) -> None:
        await self.send(AnswerCommand(approval_id, decision, **more))

    async def until(self, check: Callable[[Log], Any], limit: float = LIMIT) -> Any:
        def checked() -> Any:
            if self.agent is not None and (self.agent.poll() or 0) > 0:
                raise TimeoutError("the agent failed")
            return check(self.log)

        try:
            return await eventually(checked, limit)
        except TimeoutError:
            tail = [(e.seq, e.type, e.raw[:120]) for e in self.log.events[-30:]]
            logs = "\n".join((self.folder / n).read_text()[-1500:] for n in ("agent.log", "launcher.log"))
            raise AssertionError(f"not within {limit} s; last events {tail}; logs:\n{logs}") from None

    async def stop(self) -> int:
        """Ends the session as its supervisor would; the agent's exit code."""
        assert self.launcher is not None
        assert self.agent is not None
        self.launcher.terminate()
        async with asyncio.timeout(LIMIT):
            await asyncio.to_thread(self.launcher.wait)
            return await asyncio.to_thread(self.agent.wait)

    def spool_lines(self) -> list[bytes]:
        """What the CLI printed in all runs, partial messages aside."""
        runs = sorted(self.spool.glob("run-*.jsonl"), key=lambda path: int(path.stem[4:]))
        lines = [line for path in runs for line in path.read_bytes().split(b"\n") if line]
        return [line for line in lines if not line.startswith(b'{"type":"stream_event"')]

    async def kill_all(self) -> None:
        for process in (self.agent, self.launcher):
            if process is not None and process.poll() is None:
                process.kill()
                await asyncio.to_thread(process.wait)


def _identity_env() -> dict[str, str]:
    """What commits need, whatever the machine has."""
    names = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME")
    mails = ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")
    return {**dict.fromkeys(names, "Tester"), **dict.fromkeys(mails, "tester@example.invalid")}


type MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
def own_nats_url(own_nats: OwnNats) -> str:
    return own_nats.url


@pytest.fixture(scope="session")
def demo_model() -> Iterator[str]:
    """The demo model's URL, one server a test worker."""
    argv = [sys.executable, "-m", "jelmore_local.demo", "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.terminate()


@pytest.fixture
async def make_rig(own_nats: OwnNats, demo_model: str, tmp_path: Path) -> AsyncIterator[MakeRig]:
    """Starts a session; everything is gone at the end of the test."""
    client = await own_nats.connect()
    rigs: list[Rig] = []

    async def make(start: bool = True, **options: Any) -> Rig:
        options = {"nats_url": own_nats.url, "model_url": demo_model} | options
        rig = Rig(tmp_path / f"s{len(rigs)}", identity=own_nats.identity, client=client, **options)
        rigs.append(rig)
        if start:
            await rig.start()
        return rig

    yield make
    for rig in rigs:
        await rig.kill_all()
    await client.close()
