"""Each option of a session, shown by what the real CLI does with it and by what it asks the model for."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jelmore_contract.states import SessionState
from jelmore_contract.subjects import live_subject
from tests.support import mcp_server
from tests.support.flush import flush
from tests.support.git_server import git
from tests.support.scripts import bash, say, script, tool, write
from tests.support.seen_session import MakeSeen
from tests.support.supervised import Supervised

pytestmark = pytest.mark.real_cli

#: Not among what acceptEdits lets through, nor what only reads.
PYTHON = """python3 -c 'open("by-bash", "w").write("yes")'"""
_SECRET = "a-secret-of-the-server"
WORK = script(write("%cwd%/by-tool", "yes"), bash(PYTHON), say())


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
async def test_permission_modes(make_seen: MakeSeen, mode: str, state: SessionState, files: list[str]) -> None:
    # Without it, the CLI refuses to bypass permissions as root.
    async with make_seen({"IS_SANDBOX": "1"}, query=WORK, permissionMode=mode) as seen:
        status = await seen.turn()
        assert (status.state, seen.files) == (state, files)
        [start] = {line["permissionMode"] for line in await seen.said("system") if line["subtype"] == "init"}
        assert start == mode
        if mode == "dontAsk":
            assert all("denied because Claude Code is running in don't ask mode" in r for r in await seen.results())


@pytest.mark.skipif(os.geteuid() != 0, reason="for root only")
async def test_root_cannot_bypass_permissions(make_seen: MakeSeen) -> None:
    async with make_seen(query=WORK, permissionMode="bypassPermissions") as seen:
        status = await seen.turn()
        assert status.state is SessionState.FAILED
        assert "cannot be used with root/sudo privileges" in (status.message or "")


async def test_allowed_tools_run_without_a_question(make_seen: MakeSeen) -> None:
    async with make_seen(query=WORK, permissionMode="default", allowedTools=["Write", "Bash(python3:*)"]) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        assert seen.files == ["by-bash", "by-tool"]


async def test_disallowed_tools_are_denied_and_not_even_offered(make_seen: MakeSeen) -> None:
    spec = {"disallowedTools": ["Write", "Bash(python3:*)"], "allowedTools": ["Bash", "Write"]}
    async with make_seen(query=WORK, **spec) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        assert seen.files == []
        by_write, by_bash = await seen.results()
        assert "Write" in by_write
        assert "Permission to use Bash with command python3" in by_bash
        offered = {tool["name"] for tool in seen.requests()[0]["tools"]}
        assert "Bash" in offered
        assert "Write" not in offered


async def test_model_and_system_prompt_reach_the_model(make_seen: MakeSeen) -> None:
    prompt = "Answer like a sailor."
    async with make_seen(query="Hello", model="claude-haiku-5-5", appendSystemPrompt=prompt) as seen:
        await seen.turn()
        [request] = seen.requests()
        assert request["model"] == "claude-haiku-5-5"
        assert prompt in json.dumps(request["system"])
        # Added to Claude Code's own.
        assert "Claude Code" in json.dumps(request["system"])


async def test_the_default_model_is_the_clis_own(make_seen: MakeSeen) -> None:
    async with make_seen(query="Hello") as seen:
        await seen.turn()
        assert seen.requests()[0]["model"].startswith("claude-")


async def test_turns_end_after_so_many_requests(make_seen: MakeSeen) -> None:
    steps = script(bash("echo 1"), bash("echo 2"), bash("echo 3"), say())
    async with make_seen(query=steps, budget={"turns": 2}) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        [result] = await seen.said("result")
        assert result["subtype"] == "error_max_turns"
        assert len(seen.requests()) == 2


@pytest.mark.parametrize("attribution", [True, False])
async def test_attribution_of_commits(make_seen: MakeSeen, attribution: bool) -> None:
    async with make_seen(query="Hello", workspace={"commits": {"attribution": attribution}}) as seen:
        await seen.turn()
        asked = json.dumps(seen.requests()[0])
        assert ("Co-Authored-By: Claude" in asked) is attribution
        assert ("Generated with" in asked) is attribution


async def test_commits_have_the_sessions_author(make_seen: MakeSeen, tmp_path: Path) -> None:
    who = {"name": "Build Robot", "email": "robot@example.invalid"}
    commit = "git init -q . && git config user.name Other && git add -A && git commit -q -m work"
    steps = script(write("%cwd%/a", "a"), bash(commit), say())
    async with make_seen(query=steps, allowedTools=["Bash"], workspace={"commits": who}) as seen:
        assert (await seen.turn()).state is SessionState.IDLE
        log = git(seen.supervised.folder(seen.key) / "workspace", "log", "--format=%an <%ae>|%cn <%ce>|%B")
        author = "Build Robot <robot@example.invalid>"
        assert log == f"{author}|{author}|work"


async def test_an_mcp_server_whose_tool_is_called(make_seen: MakeSeen) -> None:
    servers = {
        "shouting": {"command": sys.executable, "args": [mcp_server.__file__], "env": {"TOKEN": _SECRET}},
        "dead": {"command": "/nonexistent/program"},
        "mute": {"command": "false"},
    }
    steps = script(tool("mcp__shouting__shout", text="hear, hear"), say())
    async with make_seen(query=steps, mcpServers=servers, allowedTools=["mcp__shouting__shout"]) as seen:
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


async def test_partial_messages_are_live_and_in_no_log(make_seen: MakeSeen, supervised: Supervised) -> None:
    heard = asyncio.Queue[dict[str, Any]]()

    async def hear(message: Any) -> None:
        heard.put_nowait(json.loads(message.data))

    async with make_seen(partialMessages=True) as seen:
        await supervised.until_state(seen.key, SessionState.IDLE, run=1)
        await supervised.client.subscribe(live_subject(seen.key), cb=hear)
        await flush(supervised.client)
        await supervised.input(seen.key, script(say("Word by word.", deltas=3)))
        await supervised.until_turn(seen.key, 1)
        async with asyncio.timeout(20):
            first = await heard.get()
        assert first["payload"]["type"] == "stream_event"
        assert await seen.said("stream_event") == []
        assert "Word by word." in str(await seen.said("assistant"))


async def test_without_them_there_are_none(make_seen: MakeSeen) -> None:
    async with make_seen(query="Hello") as seen:
        await seen.turn()
        assert seen.requests()
        spool = (seen.supervised.folder(seen.key) / "spool/run-1.jsonl").read_text()
        assert '"stream_event"' not in spool
