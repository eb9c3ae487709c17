"""The file that tells the CLI of its MCP servers: who may read it, and when it is there."""

import json
import stat
from pathlib import Path

import msgspec
import pytest

from jelmore_agent.cli import arguments
from jelmore_agent.fold import Fold
from jelmore_agent.mcp_file import McpFile
from tests.unit.agent.test_steering import CONFIG

SERVERS = {"a": {"command": "x", "env": {"TOKEN": "CANARY"}}}


@pytest.mark.parametrize(("socket", "file"), [(0o600, 0o600), (0o660, 0o640)])
def test_it_is_for_the_cli_alone_and_not_for_long(tmp_path: Path, socket: int, file: int) -> None:
    made = McpFile(
        msgspec.structs.replace(CONFIG, socket=str(tmp_path / "agent.sock"), socket_mode=socket, mcp_servers=SERVERS)
    )
    for _ in range(2):
        made.write()
        assert stat.S_IMODE(made.path.stat().st_mode) == file
        assert json.loads(made.path.read_text()) == {"mcpServers": SERVERS}
    made.remove()
    assert list(tmp_path.iterdir()) == []
    made.remove()


def test_what_an_agent_that_was_killed_has_left_is_removed(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, socket=str(tmp_path / "agent.sock"), mcp_servers=SERVERS)
    McpFile(config).write()
    McpFile(config).remove()
    assert list(tmp_path.iterdir()) == []


def test_there_is_none_without_servers(tmp_path: Path) -> None:
    McpFile(msgspec.structs.replace(CONFIG, socket=str(tmp_path / "agent.sock"))).write()
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_names_the_file_and_none_of_its_words() -> None:
    config = msgspec.structs.replace(CONFIG, socket="/run/agent.sock", mcp_servers=SERVERS)
    words = arguments(config, Fold(CONFIG.session_id), None)
    assert words[words.index("--mcp-config") + 1] == "/run/mcp.json"
    assert "CANARY" not in str(words)
