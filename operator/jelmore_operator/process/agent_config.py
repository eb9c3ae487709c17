"""What a session's resource and this machine's settings make of the agent's configuration."""

import hashlib
from pathlib import Path

from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.events import encode_json
from jelmore_contract.resource import ClaudeSession, seconds
from jelmore_operator.process.folder import Folder
from jelmore_operator.process.settings import SupervisorSettings


def workspace_of(resource: ClaudeSession, folder: Folder) -> Path:
    path = resource.spec.workspace.path
    return folder.workspace if path is None else Path(path)


def workspace_problem(resource: ClaudeSession) -> str | None:
    """What is wrong with the user's own folder, if that was asked for. Ours is made when it is needed."""
    path = resource.spec.workspace.path
    if path is None or Path(path).is_dir():
        return None
    what = "is no folder" if Path(path).exists() else "does not exist"
    return f"The workspace {path} {what}: make it."


def credentials_problem(settings: SupervisorSettings) -> str | None:
    if settings.cli_environment or settings.claude_config_dir is not None:
        return None
    return (
        "There are no credentials for Claude: log in with `claude`, or set ANTHROPIC_API_KEY or "
        "CLAUDE_CODE_OAUTH_TOKEN, and start Jelmore again."
    )


def agent_config(resource: ClaudeSession, settings: SupervisorSettings, folder: Folder) -> bytes:
    """The file's text: equal texts mean that an agent need not be restarted."""
    spec = resource.spec
    config = AgentConfig(
        session_id=resource.session_id,
        namespace=resource.metadata.namespace,
        nats_url=settings.nats_url,
        nats_credentials=str(folder.nats_credentials),
        folder=str(folder.spool),
        socket=str(folder.socket),
        nonce_file=str(folder.nonce),
        workspace=str(workspace_of(resource, folder)),
        claude=str(settings.claude),
        claude_config_dir=str(settings.claude_config_dir or folder.claude),
        claude_tmp=str(folder.tmp),
        approval_timeout=seconds(spec.approvals.timeout),
        on_interrupted=spec.lifecycle.on_interrupted,
        trust_settings=spec.workspace.trust_settings,
        query=spec.query,
        model=spec.model,
        permission_mode=spec.permission_mode,
        allowed_tools=spec.allowed_tools,
        disallowed_tools=spec.disallowed_tools,
        append_system_prompt=spec.append_system_prompt,
        mcp_servers=spec.mcp_servers,
        partial_messages=spec.partial_messages,
    )
    return encode_json(config)


def digest(config: bytes) -> str:
    return hashlib.sha256(config).hexdigest()
