"""What a session's resource, and the places where it runs, make of the agent's configuration."""

from dataclasses import dataclass, field

import msgspec

from jelmore_bus import Tls
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.resource import ClaudeSession
from jelmore_operator.reconcile.live import live_settings


@dataclass(frozen=True, slots=True)
class Places:
    """Paths as the agent and the CLI see them, absolute. See `AgentConfig`."""

    nats_credentials: str
    folder: str
    socket: str
    nonce_file: str
    workspace: str
    claude: str
    claude_config_dir: str
    claude_tmp: str
    socket_mode: int = 0o600
    nats_tls: Tls = field(default_factory=Tls)


def agent_config(resource: ClaudeSession, nats_url: str, places: Places) -> AgentConfig:
    """nats_url: as the agent reaches the bus."""
    spec = resource.spec
    return AgentConfig(
        session_id=resource.session_id,
        namespace=resource.metadata.namespace,
        nats_url=nats_url,
        nats_credentials=places.nats_credentials,
        nats_ca=places.nats_tls.ca,
        nats_certificate=places.nats_tls.certificate,
        nats_key=places.nats_tls.key,
        folder=places.folder,
        socket=places.socket,
        socket_mode=places.socket_mode,
        nonce_file=places.nonce_file,
        workspace=places.workspace,
        claude=places.claude,
        claude_config_dir=places.claude_config_dir,
        claude_tmp=places.claude_tmp,
        **msgspec.structs.asdict(live_settings(spec)),
        budget_turns=spec.budget.turns,
        trust_settings=spec.workspace.trust_settings,
        query=spec.query,
        allowed_tools=spec.allowed_tools,
        disallowed_tools=spec.disallowed_tools,
        append_system_prompt=spec.append_system_prompt,
        mcp_servers=spec.mcp_servers,
        partial_messages=spec.partial_messages,
        commit_name=spec.workspace.commits.name,
        commit_email=spec.workspace.commits.email,
        attribution=spec.workspace.commits.attribution,
    )
