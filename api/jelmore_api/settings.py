"""Settings: environment variables named JELMORE_*. Read once, by whoever starts the service; never at import."""

import ipaddress
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from jelmore_api.database.urls import asyncpg_url
from jelmore_api.redis_server import check_redis_url
from jelmore_bus import Access, Tls
from jelmore_contract.resource import DEFAULT_NAMESPACE, Duration, Name


class Resources(StrEnum):
    """Where session resources live."""

    LOCAL = "local"
    KUBERNETES = "kubernetes"


class Settings(BaseSettings):
    """Addresses hold passwords, so they are secrets: they show as stars wherever they are printed."""

    model_config = SettingsConfigDict(
        env_prefix="JELMORE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # addresses hold passwords
    )

    host: str = Field("127.0.0.1", description="Address to listen on. Any but a loopback address needs a token.")
    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one.")
    token: SecretStr | None = Field(None, description="Bearer token that every call must bring, once it is set.")
    hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names besides localhost under which clients reach the service, with commas between them."
    )
    home: Path = Field(default_factory=lambda: Path.home() / ".jelmore", description="Jelmore's data folder.")
    workspace_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default_factory=lambda: (Path.home(),),
        description="Folders below which a session may be given its workspace, separated as in PATH.",
    )
    resources: Resources = Field(
        Resources.LOCAL, description="local: in NATS, for one machine. kubernetes: ClaudeSessions of a cluster."
    )
    namespaces: Annotated[tuple[Name, ...], NoDecode] = Field(
        (), description="In a cluster: the namespaces that are served, with commas between them; all without it."
    )
    namespace: Name | None = Field(None, description="In a cluster: where a session is made that names no namespace.")
    audience: str = Field("jelmore", min_length=1, description="In a cluster: what a bearer token must be made for.")
    kubeconfig: str | None = Field(
        None, validation_alias="KUBECONFIG", description="How to reach the cluster from outside; in a pod, unset."
    )
    nats_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    nats_credentials: Path | None = Field(
        None,
        description="File to log in to NATS with: a credentials file (user JWT and seed), or one line: an nkey's seed, "
        "user:password or a token. None where the URL says it, or the server has no users.",
    )
    nats_ca: Path | None = Field(None, description="File of the authorities that may have signed NATS' certificate.")
    nats_certificate: Path | None = Field(None, description="File of a client certificate, where NATS wants one.")
    nats_key: Path | None = Field(None, description="File of its key, where that is not in the same file.")
    database_url: SecretStr = SecretStr("postgresql://127.0.0.1:5432/jelmore")
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    log_retention: Duration = Field(
        "720h", description="How long the log of a session stays readable after its end. 0s: for ever."
    )
    stream_retention: Duration = Field(
        "168h",
        description="How long events stay in NATS, for whoever reads the stream itself, once PostgreSQL has them. 0s: "
        "for ever.",
    )
    model: str = Field("claude", description="What answers: claude, or demo for the scripted model. Shown by /readyz.")

    @field_validator("hosts", "namespaces", mode="before")
    @classmethod
    def _commas(cls, value: object) -> object:
        return (
            tuple(part.strip().lower() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("workspace_roots", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        return (
            tuple(Path(part).expanduser() for part in value.split(os.pathsep) if part)
            if isinstance(value, str)
            else value
        )

    @field_validator("workspace_roots", "home")
    @classmethod
    def _absolute(cls, value: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
        for path in value if isinstance(value, tuple) else (value,):
            if not path.is_absolute():
                raise ValueError(f"must be an absolute path: {path}")
        return value

    @field_validator("nats_url")
    @classmethod
    def _of_nats(cls, url: SecretStr) -> SecretStr:
        _ = Access(url.get_secret_value()).addresses
        return url

    @field_validator("database_url")
    @classmethod
    def _of_postgres(cls, url: SecretStr) -> SecretStr:
        asyncpg_url(url.get_secret_value())
        return url

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: SecretStr) -> SecretStr:
        check_redis_url(url.get_secret_value())
        return url

    @property
    def bus(self) -> Access:
        """How NATS is reached."""
        tls = Tls(*(str(path or "") for path in (self.nats_ca, self.nats_certificate, self.nats_key)))
        return Access(self.nats_url.get_secret_value(), str(self.nats_credentials or ""), tls)

    @property
    def in_cluster(self) -> bool:
        """Whether sessions are pods, and Kubernetes says who may do what."""
        return self.resources == Resources.KUBERNETES

    @property
    def default_namespace(self) -> str:
        """Of a session that names none."""
        return (self.namespace if self.in_cluster else None) or DEFAULT_NAMESPACE

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.in_cluster:
            return self._reachable()
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                f"listening on {self.host} would let everybody in: set JELMORE_TOKEN to a secret of your own, "
                "or JELMORE_HOST to 127.0.0.1"
            )
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            raise ValueError("JELMORE_TOKEN must have at least 16 characters")
        return self

    def _reachable(self) -> Self:
        if self.token is not None:
            raise ValueError(
                "JELMORE_TOKEN goes with one machine only: in a cluster, callers bring tokens of Kubernetes; unset it"
            )
        if self.kubeconfig is None and not os.environ.get("KUBERNETES_SERVICE_HOST"):
            raise ValueError("JELMORE_RESOURCES=kubernetes needs KUBECONFIG outside a cluster: set it to a kubeconfig")
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a service that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def problem(error: ValidationError) -> str:
    """What is wrong with the settings, as one sentence without its full stop. What was given is not repeated."""
    first = error.errors(include_input=False)[0]
    sentence = str(first["msg"]).removeprefix("Value error, ")
    name = "_".join(str(part) for part in first["loc"][:1]).upper()
    return f"JELMORE_{name}: {sentence}" if name else sentence
