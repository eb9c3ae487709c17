"""What the operator of a cluster is told: environment variables, all beginning with JELMORE_."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_bus import Access, AccessError, Tls
from jelmore_contract.resource import Credentials, CredentialsKind, Network, network
from jelmore_operator.controller import WORKERS
from jelmore_operator.identity import Identity
from jelmore_operator.reconcile.egress import EgressLimits

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany")
_TLS = ("NATS_CA", "NATS_CERTIFICATE", "NATS_KEY")
#: The largest uid that container runtimes take.
_MOST_UID = 2**31 - 1


class SettingsError(ValueError):
    """One sentence that names the variable and says what to do."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The texts of files in PEM form; "" for none. See `jelmore_bus.Tls`."""

    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Bus:
    """access: the operator's own way, as a user of CORE. session_url: how pods reach the bus. session_tls: what they
    get of the operator's TLS files. One of `identity`, which makes each session a user of its own, and `shared`, the
    text of a credentials file for all.
    """

    access: Access
    session_url: str = field(repr=False)
    identity: Identity | None = None
    shared: str = field(default="", repr=False)
    session_tls: TlsFiles = TlsFiles()


@dataclass(frozen=True, slots=True)
class Users:
    """Pairs of user ids: session n of `pairs` gets base + 2n (Claude) and base + 2n + 1 (agent)."""

    base: int = 1_000_000_000
    pairs: int = 100_000


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What all sessions' pods have in common. credentials: for sessions that name none. anthropic_base_url: where
    sessions without a gateway of their own go instead of Anthropic; "" for Anthropic. pull_secrets: names of Secrets
    for the image, in each session's namespace. egress: what sessions may choose of.
    """

    image: str
    credentials: Credentials
    pull_policy: str = "IfNotPresent"
    anthropic_base_url: str = ""
    users: Users = Users()
    access_mode: str = "ReadWriteOnce"
    pull_secrets: tuple[str, ...] = ()
    egress: EgressLimits = field(default_factory=EgressLimits)


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """namespace: the operator's own, where its Lease is. namespaces: those of the sessions; none for all. workers: how
    many sessions are looked at at once. metrics_port: None for no metrics.
    """

    namespace: str
    namespaces: tuple[str, ...]
    bus: Bus
    pods: PodSettings
    workers: int = WORKERS
    metrics_port: int | None = None


def read_settings(environment: Mapping[str, str]) -> OperatorSettings:
    """Raises SettingsError."""
    env = _Environment(environment)
    namespaces = env.names("NAMESPACES")
    for name in namespaces:
        _check_namespace("NAMESPACES", name)
    namespace = env.require("NAMESPACE", "the operator's own namespace, where its Lease is")
    _check_namespace("NAMESPACE", namespace)
    workers = env.number("OPERATOR_WORKERS", WORKERS, 1, 256)
    port = env.number("OPERATOR_METRICS_PORT", 0, 0, 65_535) or None
    return OperatorSettings(namespace, namespaces, _bus(env), _pods(env), workers, port)


class _Environment:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def get(self, name: str, default: str) -> str:
        return self._variables.get(f"JELMORE_{name}", "") or default

    def require(self, name: str, what: str) -> str:
        if value := self.get(name, ""):
            return value
        raise SettingsError(f"JELMORE_{name} is not set: it is {what}.")

    def choose(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.get(name, default)
        if value not in choices:
            raise SettingsError(f"JELMORE_{name} is {value!r}: it must be one of {', '.join(choices)}.")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Divided by commas."""
        return tuple(each.strip() for each in self.get(name, "").split(",") if each.strip())

    def networks(self, name: str) -> tuple[Network, ...]:
        """Divided by commas."""
        found = []
        for cidr in self.names(name):
            try:
                found.append(network(cidr))
            except ValueError:
                raise SettingsError(
                    f"JELMORE_{name}: {cidr!r} is no range of addresses: write 10.20.0.0/16, with commas between them."
                ) from None
        return tuple(found)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.get(name, str(default))
        if not value.isascii() or not value.isdecimal() or not least <= int(value) <= most:
            raise SettingsError(f"JELMORE_{name} is {value!r}: it must be a number from {least} to {most}.")
        return int(value)

    def read(self, name: str, what: str) -> str:
        """The text of the file that the variable names."""
        path = Path(self.require(name, what))
        try:
            return path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise SettingsError(f"JELMORE_{name}: {path} cannot be read ({reason}).") from None


def _check_namespace(variable: str, name: str) -> None:
    if not _NAMESPACE.fullmatch(name):
        raise SettingsError(f"JELMORE_{variable}: {name!r} is no name of a namespace.")


def _bus(env: _Environment) -> Bus:
    url = env.require("NATS_URL", "where NATS is, such as nats://nats.nats:4222")
    env.read("NATS_CREDENTIALS", "the credentials file of a user in NATS' account CORE")
    tls = Tls(*(env.get(name, "") for name in _TLS))
    access = Access(url, env.get("NATS_CREDENTIALS", ""), tls)
    files = TlsFiles(*(env.read(name, "a file") if env.get(name, "") else "" for name in _TLS))
    try:
        access.options()
    except AccessError as error:
        raise SettingsError(str(error)) from None
    keys = env.get("NATS_IDENTITY", "")
    if bool(keys) == bool(env.get("NATS_SHARED_CREDENTIALS", "")):
        raise SettingsError(
            "Set one of JELMORE_NATS_IDENTITY (the file nats-keys.json, so that each session is a user of its own; "
            "`python -m jelmore_operator.identity` makes it) and JELMORE_NATS_SHARED_CREDENTIALS (a credentials file "
            "for all sessions)."
        )
    session_url = env.get("SESSION_NATS_URL", url)
    if not keys:
        return Bus(access, session_url, shared=env.read("NATS_SHARED_CREDENTIALS", ""), session_tls=files)
    try:
        return Bus(access, session_url, Identity.load(Path(keys)), session_tls=files)
    except (OSError, ValueError) as error:
        raise SettingsError(f"JELMORE_NATS_IDENTITY: {error}.") from None


def _pods(env: _Environment) -> PodSettings:
    kinds = tuple(str(kind) for kind in CredentialsKind)
    kind = CredentialsKind(env.choose("CREDENTIALS_KIND", kinds, CredentialsKind.OAUTH_TOKEN))
    base = env.number("UID_BASE", Users().base, 1000, _MOST_UID - 2)
    most = (_MOST_UID - base) // 2
    return PodSettings(
        image=env.require("SESSION_IMAGE", "the image of sessions' pods"),
        credentials=Credentials(secret_name=env.get("CREDENTIALS_SECRET", "claude-credentials"), kind=kind),
        pull_policy=env.choose("IMAGE_PULL_POLICY", _PULL_POLICIES, "IfNotPresent"),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL", ""),
        users=Users(base, env.number("UID_COUNT", min(Users().pairs, most), 1, most)),
        access_mode=env.choose("STORAGE_ACCESS_MODE", _ACCESS_MODES, "ReadWriteOnce"),
        pull_secrets=env.names("IMAGE_PULL_SECRETS"),
        egress=_egress(env),
    )


def _egress(env: _Environment) -> EgressLimits:
    namespaces = env.names("EGRESS_ALLOWED_NAMESPACES")
    for name in namespaces:
        _check_namespace("EGRESS_ALLOWED_NAMESPACES", name)
    return EgressLimits(env.networks("EGRESS_ALLOWED_CIDRS"), env.networks("EGRESS_DENIED_CIDRS"), namespaces)
