"""The three containers of a session's pod. What Claude runs is taken for hostile: its container sees neither spool nor
Secret, and the agent's folder only where it cannot write.
"""

from jelmore_contract.resource import Credentials, CredentialsKind, Resources
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.settings import PodSettings

_ANTHROPIC = "https://api.anthropic.com"
#: Where the sidecar's proxy listens, within the pod.
_PROXY = "http://127.0.0.1:8377"
#: Claude Code wants a key before it calls a proxy; the proxy puts the real one in.
_PLACEHOLDER = "placeholder"

SOCKET = "/run/jelmore/agent.sock"
_END_IN = "15"  # seconds of the pod's grace for Claude Code; the rest is the agent's
_ALONE = "600"  # seconds after which a launcher without any agent gives up

_SPOOL = {"name": "session", "subPath": "spool", "mountPath": "/var/lib/jelmore"}
_WORKSPACE = {"name": "session", "subPath": "workspace", "mountPath": "/workspace"}
_HOME = {"name": "session", "subPath": "home", "mountPath": "/home/claude"}
_RUN = {"name": "run", "mountPath": "/run/jelmore"}
_SECRET = {"name": "secret", "mountPath": "/etc/jelmore", "readOnly": True}
_TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the pod's own
_PASSWD = {"name": "passwd", "subPath": "passwd", "mountPath": "/etc/passwd", "readOnly": True}

_LEAST = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
_AGENT = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def prepare_container(settings: PodSettings) -> Document:
    """Makes Claude's folders as Claude's user: git takes no worktree that belongs to another."""
    return {
        **_common(settings, "prepare"),
        "command": ["mkdir", "-p", "-m", "2770", "/volume/workspace", "/volume/home"],
        "resources": _LEAST,
        "volumeMounts": [{"name": "session", "mountPath": "/volume"}],
    }


def agent_container(settings: PodSettings, credentials: Credentials, user: int) -> Document:
    """The sidecar: started before Claude's container, ended after it."""
    container = _common(settings, "agent")
    container["securityContext"]["runAsUser"] = user
    return {
        **container,
        "restartPolicy": "Always",
        "command": ["/usr/local/bin/jelmore-agent"],
        "env": _proxy_environment(settings, credentials),
        "resources": _AGENT,
        "volumeMounts": [_SPOOL, {**_WORKSPACE, "readOnly": True}, {**_HOME, "readOnly": True}, _RUN, _SECRET],
    }


def claude_container(
    settings: PodSettings, credentials: Credentials, own_secret: str, resources: Resources
) -> Document:
    return {
        **_common(settings, "claude"),
        "command": ["/usr/local/bin/jelmore-launcher"],
        "args": ["--socket", SOCKET, "--grace", _END_IN, "--orphan-timeout", _ALONE],
        "env": [
            {"name": "HOME", "value": "/home/claude"},
            _from_secret("JELMORE_NONCE", own_secret, "nonce"),
            *_model_environment(settings, credentials),
        ],
        "resources": resources.model_dump(mode="json", by_alias=True, exclude_none=True),
        "volumeMounts": [_WORKSPACE, _HOME, {**_RUN, "readOnly": True}, _TMP, _PASSWD],
    }


def _common(settings: PodSettings, name: str) -> Document:
    return {
        "name": name,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _proxy_environment(settings: PodSettings, credentials: Credentials) -> list[Document]:
    """What the proxy needs; nothing where there is none, since an OAuth token goes to Claude Code and nowhere else."""
    name, kind = credentials.secret_name, credentials.kind
    if kind is CredentialsKind.OAUTH_TOKEN:
        return []
    if kind is CredentialsKind.API_KEY:
        token = _from_secret("JELMORE_UPSTREAM_TOKEN", name, "apiKey")
        url: Document = {"name": "JELMORE_UPSTREAM_URL", "value": settings.anthropic_base_url or _ANTHROPIC}
    else:
        token = _from_secret("JELMORE_UPSTREAM_TOKEN", name, "token")
        url = _from_secret("JELMORE_UPSTREAM_URL", name, "baseUrl")
    return [{"name": "JELMORE_UPSTREAM_KIND", "value": str(kind)}, token, url]


def _model_environment(settings: PodSettings, credentials: Credentials) -> list[Document]:
    if credentials.kind is CredentialsKind.OAUTH_TOKEN:
        token = _from_secret("CLAUDE_CODE_OAUTH_TOKEN", credentials.secret_name, "oauthToken")
        base = settings.anthropic_base_url
        return [token, *([{"name": "ANTHROPIC_BASE_URL", "value": base}] if base else [])]
    dummy = "ANTHROPIC_API_KEY" if credentials.kind is CredentialsKind.API_KEY else "ANTHROPIC_AUTH_TOKEN"
    return [{"name": "ANTHROPIC_BASE_URL", "value": _PROXY}, {"name": dummy, "value": _PLACEHOLDER}]


def _from_secret(variable: str, secret: str, key: str) -> Document:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
