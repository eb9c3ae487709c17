"""What an agent is told, and what keeps it from being started."""

from pathlib import Path

import pytest

from jelmore_contract.agent_config import read_config
from jelmore_operator.identity import Identity
from jelmore_operator.process.folder import Folder
from jelmore_operator.process.session_files import config_file, credentials_problem, workspace_problem
from jelmore_operator.process.settings import SupervisorSettings
from tests.support.observations import SESSION_ID, resource


def settings(home: Path, environment: dict[str, str], claude_config_dir: Path | None = None) -> SupervisorSettings:
    return SupervisorSettings(
        home=home,
        nats_url="nats://127.0.0.1:1",
        nats_credentials=home / "core.creds",
        identity=Identity.generate(),
        claude=Path("/bin/claude"),
        cli_environment=environment,
        claude_config_dir=claude_config_dir,
    )


SPEC = {
    "query": "q",
    "model": "opus",
    "permissionMode": "plan",
    "allowedTools": ["Bash"],
    "disallowedTools": ["Write"],
    "appendSystemPrompt": "be brief",
    "mcpServers": {"a": {"command": "x"}},
    "partialMessages": True,
    "approvals": {"timeout": "1h30m"},
    "lifecycle": {"onInterrupted": "wait", "turnTimeout": "10m"},
    "budget": {"usd": 2.5, "turns": 30},
    "workspace": {
        "path": "/w",
        "trustSettings": True,
        "commits": {"name": "N", "email": "n@example.invalid", "attribution": False},
    },
}


def test_everything_that_the_spec_says_reaches_the_agent(tmp_path: Path) -> None:
    folder = Folder(tmp_path / SESSION_ID)
    text = config_file(resource(spec=SPEC), settings(tmp_path, {"ANTHROPIC_API_KEY": "a-secret"}), folder)
    config = read_config(text)
    assert b"a-secret" not in text
    told = {name: getattr(config, name) for name in config.__struct_fields__}
    assert told == {
        "session_id": SESSION_ID,
        "namespace": "default",
        "nats_url": "nats://127.0.0.1:1",
        "nats_credentials": str(folder.path / "nats.creds"),
        "nats_ca": "",
        "nats_certificate": "",
        "nats_key": "",
        "folder": str(folder.path / "spool"),
        "socket": str(folder.path / "agent.sock"),
        "socket_mode": 0o600,
        "nonce_file": str(folder.path / "nonce"),
        "workspace": "/w",
        "claude": "/bin/claude",
        "claude_config_dir": str(folder.path / "claude"),
        "claude_tmp": str(folder.path / "tmp"),
        "approval_timeout": 5400,
        "turn_timeout": 600,
        "on_interrupted": "wait",
        "budget_usd": 2.5,
        "budget_turns": 30,
        "trust_settings": True,
        "query": "q",
        "model": "opus",
        "permission_mode": "plan",
        "allowed_tools": ["Bash"],
        "disallowed_tools": ["Write"],
        "append_system_prompt": "be brief",
        "mcp_servers": {"a": {"command": "x"}},
        "partial_messages": True,
        "commit_name": "N",
        "commit_email": "n@example.invalid",
        "attribution": False,
    }


def test_without_a_path_the_workspace_is_a_fresh_folder_and_the_login_the_users(tmp_path: Path) -> None:
    folder = Folder(tmp_path / SESSION_ID)
    config = read_config(config_file(resource(), settings(tmp_path, {}, Path("/home/u/.claude")), folder))
    assert (config.workspace, config.claude_config_dir) == (str(folder.workspace), "/home/u/.claude")


@pytest.mark.parametrize(
    ("environment", "folder", "lacking"),
    [({}, None, True), ({"ANTHROPIC_API_KEY": "k"}, None, False), ({}, Path("/home/u/.claude"), False)],
)
def test_credentials(tmp_path: Path, environment: dict[str, str], folder: Path | None, lacking: bool) -> None:
    assert (credentials_problem(settings(tmp_path, environment, folder)) is not None) is lacking


def test_a_workspace_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    problems = [
        workspace_problem(resource(spec={"workspace": {"path": str(tmp_path / name)}})) for name in ("", "file", "none")
    ]
    assert problems == [
        None,
        f"The workspace {tmp_path / 'file'} is no folder: make it.",
        f"The workspace {tmp_path / 'none'} does not exist: make it.",
    ]
    assert workspace_problem(resource()) is None


def test_settings_do_not_show_the_credentials(tmp_path: Path) -> None:
    assert "a-secret" not in repr(settings(tmp_path, {"ANTHROPIC_API_KEY": "a-secret"}))
