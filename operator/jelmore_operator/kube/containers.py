"""The three containers of a session's pod. What Claude runs is taken for hostile: its container sees neither spool nor
Secret, and the agent's folder only where it cannot write.
"""

from jelmore_contract.resource import Credentials, CredentialsKind, Git, Resources
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.settings import PodSettings

_ANTHROPIC = "https://api.anthropic.com"
#: Where the sidecar's proxy listens, within the pod, and where it tells its figures to whoever collects them.
_PROXY = "http://127.0.0.1:8377"
_PROXY_METRICS = {"name": "proxy-metrics", "containerPort": 8378}
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
_UPSTREAM = {"name": "upstream", "mountPath": "/etc/jelmore-upstream", "readOnly": True}
_TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the pod's own
_PASSWD = {"name": "passwd", "subPath": "passwd", "mountPath": "/etc/passwd", "readOnly": True}

#: The step that clones; its failure is looked for by this name.
CLONE = "clone"
_GIT_SECRET = "/etc/jelmore-git"  # noqa: S105 - a folder

_LEAST = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
_AGENT = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


#: The keys of the Secret with the credentials, by kind.
KEYS: dict[CredentialsKind, tuple[str, ...]] = {
    CredentialsKind.OAUTH_TOKEN: ("oauthToken",),
    CredentialsKind.API_KEY: ("apiKey",),
    CredentialsKind.GATEWAY: ("token", "baseUrl"),
}


def prepare_container(settings: PodSettings, credentials: Credentials) -> Document:
    """Makes Claude's folders as Claude's user: git takes no worktree that belongs to another.

    The proxy's Secret is named here too, in the environment of a process that ends at once: what is missing there the
    kubelet tells in the pod's status, and of a volume it does not.
    """
    return {
        **_common(settings, "prepare"),
        "command": ["mkdir", "-p", "-m", "2770", "/volume/workspace", "/volume/home"],
        "env": [
            _from_secret(f"JELMORE_NEEDED_{key}", credentials.secret_name, key)
            for key in (KEYS[credentials.kind] if _is_proxied(credentials) else ())
        ],
        "resources": _LEAST,
        "volumeMounts": [{"name": "session", "mountPath": "/volume"}],
    }


def upstream_volume(credentials: Credentials) -> list[Document]:
    """The Secret as a volume, which the kubelet keeps up to date: an environment would be that of the pod's start."""
    if not _is_proxied(credentials):
        return []
    items = [{"key": key, "path": key} for key in KEYS[credentials.kind]]
    # Optional: see `prepare_container`. It is mounted whole, since what is mounted by subPath stays as it was.
    secret = {"secretName": credentials.secret_name, "items": items, "optional": True, "defaultMode": 0o440}
    return [{"name": _UPSTREAM["name"], "secret": secret}]


def clone_container(settings: PodSettings, git: Git, resources: Resources) -> Document:
    """Clones the repository before anything else runs: the one container that sees the Secret for it. As Claude's user,
    to whom the workspace belongs.
    """
    arguments = ["--url", git.url, "--volume", "/volume", "--result", "/dev/termination-log"]
    arguments += ["--ref", git.ref] if git.ref is not None else []
    arguments += ["--depth", str(git.depth)] if git.depth is not None else []
    mounts: list[Document] = [{"name": "session", "mountPath": "/volume"}, _PASSWD]
    if git.secret_name is not None:
        arguments += ["--secret", _GIT_SECRET, "--secret-name", f"the Secret {git.secret_name}"]
        mounts.append({"name": "git", "mountPath": _GIT_SECRET, "readOnly": True})
    return {
        **_common(settings, CLONE),
        "command": ["/usr/local/bin/jelmore-clone"],
        "args": arguments,
        "resources": resources.model_dump(mode="json", by_alias=True, exclude_none=True),
        "volumeMounts": mounts,
    }


def agent_container(settings: PodSettings, credentials: Credentials, user: int) -> Document:
    """The sidecar: started before Claude's container, ended after it."""
    container = _common(settings, "agent")
    container["securityContext"]["runAsUser"] = user
    mounts = [_SPOOL, {**_WORKSPACE, "readOnly": True}, {**_HOME, "readOnly": True}, _RUN, _SECRET]
    proxied = _is_proxied(credentials)
    return {
        **container,
        "restartPolicy": "Always",
        "command": ["/usr/local/bin/jelmore-agent"],
        "env": _proxy_environment(settings, credentials) if proxied else [],
        "ports": [_PROXY_METRICS] if proxied else [],
        "resources": _AGENT,
        "volumeMounts": [*mounts, _UPSTREAM] if proxied else mounts,
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


def _is_proxied(credentials: Credentials) -> bool:
    """An OAuth token goes to Claude Code and nowhere else."""
    return credentials.kind is not CredentialsKind.OAUTH_TOKEN


def _proxy_environment(settings: PodSettings, credentials: Credentials) -> list[Document]:
    given = {"JELMORE_UPSTREAM_KIND": str(credentials.kind), "JELMORE_UPSTREAM_SECRET": str(_UPSTREAM["mountPath"])}
    if credentials.kind is CredentialsKind.API_KEY:
        given["JELMORE_UPSTREAM_URL"] = settings.anthropic_base_url or _ANTHROPIC
    return [{"name": name, "value": value} for name, value in given.items()]


def _model_environment(settings: PodSettings, credentials: Credentials) -> list[Document]:
    if credentials.kind is CredentialsKind.OAUTH_TOKEN:
        token = _from_secret("CLAUDE_CODE_OAUTH_TOKEN", credentials.secret_name, "oauthToken")
        base = settings.anthropic_base_url
        return [token, *([{"name": "ANTHROPIC_BASE_URL", "value": base}] if base else [])]
    dummy = "ANTHROPIC_API_KEY" if credentials.kind is CredentialsKind.API_KEY else "ANTHROPIC_AUTH_TOKEN"
    return [{"name": "ANTHROPIC_BASE_URL", "value": _PROXY}, {"name": dummy, "value": _PLACEHOLDER}]


def _from_secret(variable: str, secret: str, key: str) -> Document:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
