"""What a session needs on this machine: its workspace, credentials, and the agent's configuration."""

import hashlib
from pathlib import Path

import msgspec

from jelmore_contract.agent_config import Live, read_config
from jelmore_contract.events import encode_json
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.agent_config import Places, agent_config
from jelmore_operator.process.folder import Folder
from jelmore_operator.process.settings import SupervisorSettings


def workspace_of(resource: ClaudeSession, folder: Folder) -> Path:
    path = resource.spec.workspace.path
    return folder.workspace if path is None else Path(path)


def kept_workspace(resource: ClaudeSession, folder: Folder) -> Path | None:
    """The fresh folder that stays when the session is deleted, where that was asked for."""
    workspace = resource.spec.workspace
    return folder.workspace if workspace.retain and workspace.path is None else None


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


def config_file(resource: ClaudeSession, settings: SupervisorSettings, folder: Folder) -> bytes:
    """The file's text."""
    has_user = settings.identity is not None or settings.nats_shared
    places = Places(
        nats_credentials=str(folder.nats_credentials) if has_user else "",
        folder=str(folder.spool),
        socket=str(folder.socket),
        nonce_file=str(folder.nonce),
        workspace=str(workspace_of(resource, folder)),
        claude=str(settings.claude),
        claude_config_dir=str(settings.claude_config_dir or folder.claude),
        claude_tmp=str(folder.tmp),
        nats_tls=settings.nats_tls,
    )
    # Without the supervisor's own user and password, if they stand in the URL: sessions have another.
    return encode_json(agent_config(resource, ",".join(settings.bus.addresses), places))


def session_credentials(key: SessionKey, settings: SupervisorSettings) -> str:
    """The text of a file of credentials for the bus; "" where there are no users."""
    return settings.identity.session_credentials(key) if settings.identity else settings.nats_shared


def digest(config: bytes) -> str:
    """Of a file's text. Equal ones mean that an agent need not be restarted: what it takes from commands as well does
    not count.
    """
    told = msgspec.structs.asdict(read_config(config))
    kept = {name: value for name, value in told.items() if name not in Live.__struct_fields__}
    return hashlib.sha256(encode_json(kept)).hexdigest()
