"""What an agent is told when it is started: one JSON file, written by whoever reconciles, read once. It holds no
secret. What of it can change while the agent runs comes as `configure` commands.
"""

from typing import Any

import msgspec

#: In the environment of every process of a session on one machine, so that what outlives its parent is found. The
#: launcher takes what is named JELMORE_… from what the CLI inherits, hence another name.
SESSION_MARK = "CLAUDE_SESSION_OF_JELMORE"


class Live(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The settings that a running agent takes at once, whole: as its file had them, changed by `configure` commands.
    Times are seconds.
    """

    model: str | None
    permission_mode: str
    approval_timeout: int
    turn_timeout: int | None
    on_interrupted: str
    budget_usd: float | None


class AgentConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Paths are absolute. Credentials for the model are not here: they reach the CLI through the launcher's
    environment.
    """

    session_id: str
    namespace: str
    nats_url: str
    nats_credentials: str  # file with this session's own NATS user JWT and seed; "" for a server without users
    folder: str  # the agent's own: run-N.jsonl (spool), run-N.facts
    socket: str  # Unix socket to listen on for the launcher
    nats_ca: str = ""  # files in PEM form, where NATS speaks TLS; see jelmore_bus.Tls
    nats_certificate: str = ""
    nats_key: str = ""
    socket_mode: int = 0o600  # 0o660 where the launcher is another user of the same group (a pod)
    nonce_file: str
    workspace: str
    claude: str  # the CLI
    claude_config_dir: str  # where the CLI keeps its transcripts
    claude_tmp: str  # where it keeps scratch files: each session its own, gone with the session
    approval_timeout: int  # seconds
    turn_timeout: int | None = None  # seconds
    on_interrupted: str = "continue"
    budget_usd: float | None = None  # of the whole session
    budget_turns: int | None = None  # requests to the model in one turn
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

    @property
    def live(self) -> Live:
        return Live(**{name: getattr(self, name) for name in Live.__struct_fields__})


def read_config(body: bytes) -> AgentConfig:
    """Raises ValueError, with what is wrong and where, for what is no configuration."""
    try:
        return msgspec.json.decode(body, type=AgentConfig)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"agent configuration: {error}") from error


def left_aside(body: bytes) -> list[str]:
    """Names of settings that a configuration has and this agent does not know: those of a newer release."""
    known = set(AgentConfig.__struct_encode_fields__)
    return sorted(name for name in msgspec.json.decode(body, type=dict[str, msgspec.Raw]) if name not in known)
