"""The real Claude Code CLI, driven by its stdio protocol, for tests of the demo model and for recordings."""

import asyncio
import importlib.util
import json
import os
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

type Frame = dict[str, Any]

#: Makes the CLI say the shell's directory after each Bash call, without a round trip.
SHELL_CWD_HOOK: Frame = {
    "PostToolUse": [{"matcher": "Bash", "hookCallbackIds": ["shell_cwd"], "replacedByFrame": "shell_cwd"}]
}
_LONGEST_LINE = 64 * 1024 * 1024


def cli_path() -> Path:
    """The CLI in the SDK's wheel; the SDK itself is not imported."""
    spec = importlib.util.find_spec("claude_agent_sdk")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "_bundled" / "claude"


class Cli:
    """A running CLI: `lines` and `sent` are all that went over its stdout and stdin."""

    def __init__(self, process: Process, workspace: Path, config: Path) -> None:
        self.process = process
        self.workspace = workspace
        self._config = config
        self.lines: list[bytes] = []
        self.sent: list[bytes] = []
        self._unread: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    @property
    def frames(self) -> list[Frame]:
        """All lines so far."""
        return [json.loads(line) for line in self.lines]

    async def send(self, frame: Frame) -> None:
        """Write one line to stdin."""
        assert self.process.stdin is not None
        line = json.dumps(frame).encode() + b"\n"
        self.sent.append(line)
        self.process.stdin.write(line)
        await self.process.stdin.drain()

    async def initialize(self) -> None:
        """The handshake; returns when the CLI is ready."""
        await self.control("initialize", hooks=SHELL_CWD_HOOK)
        await self.expect("control_response")

    async def control(self, subtype: str, **fields: Any) -> None:
        """Send a control request."""
        request = {"subtype": subtype, **fields}
        await self.send({"type": "control_request", "request_id": f"req-{len(self.sent)}", "request": request})

    async def prompt(self, text: str) -> str:
        """Send a user message; gives its uuid."""
        message_id = str(uuid.uuid4())
        message = {"role": "user", "content": text}
        await self.send({"type": "user", "message": message, "uuid": message_id})
        return message_id

    async def answer(self, request: Frame, response: Frame) -> None:
        """Answer a control request of the CLI."""
        body = {"subtype": "success", "request_id": request["request_id"], "response": response}
        await self.send({"type": "control_response", "response": body})

    async def allow(self, request: Frame, **changes: Any) -> None:
        """Allow a tool call, its input changed or not."""
        await self.answer(request, {"behavior": "allow", "updatedInput": {**request["request"]["input"], **changes}})

    async def expect(self, kind: str, limit_s: float = 30, **fields: Any) -> Frame:
        """The next frame whose type or subtype is `kind` and whose fields are as given."""

        def wanted(frame: Frame) -> bool:
            subtypes = (frame["type"], frame.get("subtype"), frame.get("request", {}).get("subtype"))
            return kind in subtypes and fields.items() <= frame.items()

        return await asyncio.wait_for(self._next(wanted), limit_s)

    async def idle(self, limit_s: float = 30) -> None:
        """Wait for the end of the turn."""
        await self.expect("session_state_changed", limit_s, state="idle")

    async def transcribed(self, text: str, limit_s: float = 10) -> None:
        """Wait until the transcript on disk holds a text."""
        async with asyncio.timeout(limit_s):
            while not self._in_transcript(text):  # noqa: ASYNC110 (a file has no event to wait for)
                await asyncio.sleep(0.02)

    def _in_transcript(self, text: str) -> bool:
        return any(text in path.read_text() for path in self._config.glob("projects/*/*.jsonl"))

    async def _next(self, wanted: Callable[[Frame], bool]) -> Frame:
        while (frame := await self._unread.get()) is not None:
            if wanted(frame):
                return frame
        raise EOFError("the CLI has ended")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append(line)
            self._unread.put_nowait(json.loads(line))
        self._unread.put_nowait(None)

    async def close(self, limit_s: float = 20) -> int:
        """Close stdin and wait for the end; killed when it takes too long. Gives the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), limit_s)
        except TimeoutError:
            self.process.kill()
        await self._reader
        return await self.process.wait()


@asynccontextmanager
async def claude(
    base_url: str, workspace: Path, config: Path, *flags: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Cli]:
    """A CLI in a workspace of its own, talking to the Messages API at `base_url`; ended with the block."""
    process = await asyncio.create_subprocess_exec(
        cli_path(),
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
        "--permission-prompt-tool=stdio",
        "--permission-mode=acceptEdits",
        "--setting-sources=",
        *flags,
        cwd=workspace,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(config),
            "CLAUDE_CONFIG_DIR": str(config),
            "CLAUDE_CODE_TMPDIR": str(config),
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_API_KEY": "demo",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
            **(env or {}),
        },
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_LONGEST_LINE,
    )
    cli = Cli(process, workspace, config)
    try:
        await cli.initialize()
        yield cli
    finally:
        await cli.close()
