"""What an agent is told when it is started: one JSON file, written by whoever reconciles, read once. It holds no
secret.
"""

from typing import Any

import msgspec


class AgentConfig(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Paths are absolute. Credentials for the model are not here: they reach the CLI through the launcher's
    environment.
    """

    session_id: str
    namespace: str
    nats_url: str
    nats_credentials: str  # file with this session's own NATS user JWT and seed
    folder: str  # the agent's own: run-N.jsonl (spool), run-N.facts
    socket: str  # Unix socket to listen on for the launcher
    socket_mode: int = 0o600  # 0o660 where the launcher is another user of the same group (a pod)
    nonce_file: str
    workspace: str
    claude: str  # the CLI
    claude_config_dir: str  # where the CLI keeps its transcripts
    claude_tmp: str  # where it keeps scratch files: each session its own, gone with the session
    approval_timeout: int  # seconds
    on_interrupted: str = "continue"
    trust_settings: bool = False
    query: str | None = None
    model: str | None = None
    permission_mode: str = "acceptEdits"
    allowed_tools: list[str] = []
    disallowed_tools: list[str] = []
    append_system_prompt: str | None = None
    mcp_servers: dict[str, dict[str, Any]] = {}
    partial_messages: bool = False
    commit_name: str | None = None
    commit_email: str | None = None
    attribution: bool = True


def read_config(body: bytes) -> AgentConfig:
    """Raises ValueError, with what is wrong and where, for what is no configuration."""
    try:
        return msgspec.json.decode(body, type=AgentConfig)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"agent configuration: {error}") from error
