"""Each option of a session, shown by what the real CLI does with it and by what it asks the model for."""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jelmore_contract.resource import SessionStatus
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import SessionKey, live_subject
from tests.support import mcp_server
from tests.support.claude_cli import cli_path
from tests.support.git_server import git
from tests.support.recorder import Recorder
from tests.support.scripts import bash, say, script, tool, write
from tests.support.supervised import Supervised, supervising

pytestmark = pytest.mark.real_cli

#: Not among what acceptEdits lets through, nor what only reads.
PYTHON = """python3 -c 'open("by-bash", "w").write("yes")'"""
_SECRET = "a-secret-of-the-server"
WORK = script(write("%cwd%/by-tool", "yes"), bash(PYTHON), say())


@dataclasses.dataclass
class Seen:
    """A session with the real CLI, and what its model was asked."""

    supervised: Supervised
    key: SessionKey
    model: Recorder

    async def turn(self) -> SessionStatus:
        """Waits until the turn is over, or stands still for an answer."""
        done = (SessionState.WAITING_INPUT, SessionState.FAILED)
        return await self.supervised.until(
            self.key, lambda s: s.state in done or (s.usage.turns > 0 and s.state is SessionState.IDLE)
        )

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in (self.supervised.folder(self.key) / "workspace").iterdir())

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """The CLI's lines of one type."""
        events = await self.supervised.events(self.key)
        return [payload for name, payload in events if name == "session.output" and payload.get("type") == kind]

    async def results(self) -> list[str]:
        """What tools gave back."""
        blocks = [block for line in await self.said("user") for block in line["message"]["content"]]
        return [str(block["content"]) for block in blocks if isinstance(block, dict) and block["type"] == "tool_result"]

    def requests(self) -> list[dict[str, Any]]:
        """Of turns, as the model got them; not of what the CLI asks beside them."""
        bodies = [json.loads(r.body) for r in self.model.requests if r.path == "/v1/messages"]
        return [body for body in bodies if body.get("tools")]


type Make = Callable[..., Any]


@pytest.fixture
def make(supervised: Supervised, recorder: Callable[[], Recorder]) -> Make:
    """`async with make(query=…, **spec) as seen`."""

    @asynccontextmanager
    async def made(environment: Mapping[str, str] = {}, **spec: Any) -> AsyncIterator[Seen]:
        model = recorder()
        variables = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "demo", **environment}
        settings = dataclasses.replace(supervised.settings, claude=cli_path(), cli_environment=variables)
        async with supervising(settings):
            yield Seen(supervised, await supervised.create(**spec), model)

    return made


@pytest.mark.parametrize(
    ("mode", "state", "files"),
    [
        ("default", SessionState.WAITING_INPUT, []),
        ("acceptEdits", SessionState.WAITING_INPUT, ["by-tool"]),
        ("plan", SessionState.WAITING_INPUT, []),
        ("dontAsk", SessionState.IDLE, []),
        ("bypassPermissions", SessionState.IDLE, ["by-bash", "by-tool"]),
    ],
)
async def test_permission_modes(make: Make, mode: str, state: SessionState, files: list[str]) -> None:
    # Without it, the CLI refuses to bypass permissions as root.
    async with make({"IS_SANDBOX": "1"}, query=WORK, permissionMode=mode) as seen:
        status = await seen.turn()
        assert (status.state, seen.files) == (state, files)
        [start] = {line["permissionMode"] for line in await seen.said("system") if line["subtype"] == "init"}
        assert start == mode
        if mode == "dontAsk":
            assert all("denied because Claude Code is running in don't ask mode" in r for r in await seen.results())


@pytest.mark.skipif(os.geteuid() != 0, reason="for root only")
async def test_root_cannot_bypass_permissions(make: Make) -> None:
    async with make(query=WORK, permissionMode="bypassPermissions") as seen:
        status = await seen.turn()
        assert status.state is SessionState.FAILED
        assert "cannot be used with root/sudo privileges" in (status.message or "")


async def test_allowed_tools_run_without_a_question(make: Make) -> None:
    async with make(query=WORK, permissionMode="default", allowedTools=["Write", "Bash(python3:*)"]) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        assert seen.files == ["by-bash", "by-tool"]


async def test_disallowed_tools_are_denied_and_not_even_offered(make: Make) -> None:
    spec = {"disallowedTools": ["Write", "Bash(python3:*)"], "allowedTools": ["Bash", "Write"]}
    async with make(query=WORK, **spec) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        assert seen.files == []
        by_write, by_bash = await seen.results()
        assert "Write" in by_write
        assert "Permission to use Bash with command python3" in by_bash
        offered = {tool["name"] for tool in seen.requests()[0]["tools"]}
        assert "Bash" in offered
        assert "Write" not in offered


async def test_model_and_system_prompt_reach_the_model(make: Make) -> None:
    prompt = "Answer like a sailor."
    async with make(query="Hello", model="claude-haiku-5-5", appendSystemPrompt=prompt) as seen:
        await seen.turn()
        [request] = seen.requests()
        assert request["model"] == "claude-haiku-5-5"
        assert prompt in json.dumps(request["system"])
        # Added to Claude Code's own.
        assert "Claude Code" in json.dumps(request["system"])


async def test_the_default_model_is_the_clis_own(make: Make) -> None:
    async with make(query="Hello") as seen:
        await seen.turn()
        assert seen.requests()[0]["model"].startswith("claude-")


async def test_turns_end_after_so_many_requests(make: Make) -> None:
    steps = script(bash("echo 1"), bash("echo 2"), bash("echo 3"), say())
    async with make(query=steps, budget={"turns": 2}) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        [result] = await seen.said("result")
        assert result["subtype"] == "error_max_turns"
        assert len(seen.requests()) == 2


@pytest.mark.parametrize("attribution", [True, False])
async def test_attribution_of_commits(make: Make, attribution: bool) -> None:
    async with make(query="Hello", workspace={"commits": {"attribution": attribution}}) as seen:
        await seen.turn()
        asked = json.dumps(seen.requests()[0])
        assert ("Co-Authored-By: Claude" in asked) is attribution
        assert ("Generated with" in asked) is attribution


async def test_commits_have_the_sessions_author(make: Make, tmp_path: Path) -> None:
    who = {"name": "Build Robot", "email": "robot@example.invalid"}
    commit = "git init -q . && git config user.name Other && git add -A && git commit -q -m work"
    steps = script(write("%cwd%/a", "a"), bash(commit), say())
    async with make(query=steps, allowedTools=["Bash"], workspace={"commits": who}) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        log = git(seen.supervised.folder(seen.key) / "workspace", "log", "--format=%an <%ae>|%cn <%ce>|%B")
        author = "Build Robot <robot@example.invalid>"
        assert log == f"{author}|{author}|work"


async def test_an_mcp_server_whose_tool_is_called(make: Make) -> None:
    servers = {
        "shouting": {"command": sys.executable, "args": [mcp_server.__file__], "env": {"TOKEN": _SECRET}},
        "dead": {"command": "/nonexistent/program"},
        "mute": {"command": "false"},
    }
    steps = script(tool("mcp__shouting__shout", text="hear, hear"), say())
    async with make(query=steps, mcpServers=servers, allowedTools=["mcp__shouting__shout"]) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        assert "HEAR, HEAR" in str(await seen.results())
        begun = next(line for line in await seen.said("system") if line["subtype"] == "init")
        assert {server["name"]: server["status"] for server in begun["mcp_servers"]} == {
            "shouting": "connected",
            "dead": "failed",
            "mute": "failed",
        }
        # The secret is with the server, and with nobody else: on no command line, in no event, in no file for the CLI.
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in seen.supervised.processes(seen.key)}
        [server] = [pid for pid, line in lines.items() if mcp_server.__file__.encode() in line]
        assert _SECRET.encode() in Path(f"/proc/{server}/environ").read_bytes()
        assert [line for line in lines.values() if _SECRET.encode() in line] == []
        assert _SECRET not in json.dumps(await seen.supervised.events(seen.key))
        assert not (seen.supervised.folder(seen.key) / "mcp.json").exists()


async def test_partial_messages_are_live_and_in_no_log(make: Make, supervised: Supervised) -> None:
    heard = asyncio.Queue[dict[str, Any]]()

    async def hear(message: Any) -> None:
        heard.put_nowait(json.loads(message.data))

    async with make(partialMessages=True) as seen:
        await supervised.until_state(seen.key, SessionState.IDLE, run=1)
        await supervised.client.subscribe(live_subject(seen.key), cb=hear)
        await supervised.client.flush()
        await supervised.input(seen.key, script(say("Word by word.", deltas=3)))
        await supervised.until_turn(seen.key, 1)
        async with asyncio.timeout(20):
            first = await heard.get()
        assert first["payload"]["type"] == "stream_event"
        assert await seen.said("stream_event") == []
        assert "Word by word." in str(await seen.said("assistant"))


async def test_without_them_there_are_none(make: Make) -> None:
    async with make(query="Hello") as seen:
        await seen.turn()
        assert seen.requests()
        spool = (seen.supervised.folder(seen.key) / "spool/run-1.jsonl").read_text()
        assert '"stream_event"' not in spool
