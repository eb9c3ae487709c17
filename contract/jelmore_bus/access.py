"""Where NATS is, and as whom and how it is spoken to."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_SCHEMES = ("nats", "tls")
_JWT = "-----BEGIN NATS USER JWT-----"
#: How nats-server writes the seed of a user's nkey.
_NKEY = "SU"
_HOW = "a credentials file (user JWT and seed), or one line: the seed of an nkey (SU…), user:password, or a token"


class AccessError(ValueError):
    """One sentence that names the setting and says what to do, without what was given."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files; "" for none. ca: authorities to trust instead of the system's."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def wanted(self) -> bool:
        return bool(self.ca or self.certificate)


@dataclass(frozen=True, slots=True)
class Access:
    """url: one, or several servers of one cluster with commas between them; nats://, or tls:// for TLS in any case. It
    may hold user:password@ or token@. credentials: path of a file with what else to log in with; "" for none.
    """

    url: str = field(repr=False)
    credentials: str = ""
    tls: Tls = Tls()

    @property
    def addresses(self) -> list[str]:
        """The servers without what is secret. Raises AccessError."""
        return [f"{scheme}://{host}" for scheme, _, host in map(_parts, self.url.split(","))]

    @property
    def demands_tls(self) -> bool:
        return self.tls.wanted or any(part.strip().startswith("tls://") for part in self.url.split(","))

    def options(self) -> dict[str, Any]:
        """For `nats.aio.client.Client.connect`. Reads the files. Raises AccessError."""
        options: dict[str, Any] = {"servers": self.addresses, **self._login()}
        if self.demands_tls:
            options["tls"] = _context(self.tls)
        return options

    def _login(self) -> Mapping[str, str]:
        if self.credentials:
            return login(Path(self.credentials))
        for part in self.url.split(","):
            if user := _parts(part)[1]:
                return _user(user, unquoted=True)
        return {}


def login(path: Path) -> Mapping[str, str]:
    """What is in a file of credentials, as `Client.connect` takes it. Raises AccessError."""
    text = read(path).strip()
    if _JWT in text:
        return {"user_credentials": str(path)}
    if not text or len(text.split()) > 1:
        raise AccessError(f"{path} holds no credentials for NATS: it must be {_HOW}.")
    if text.startswith(_NKEY) and ":" not in text:
        return {"nkeys_seed": str(path)}
    return _user(text, unquoted=False)


def read(path: Path) -> str:
    """Raises AccessError."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise AccessError(f"{path} cannot be read ({reason}): correct the path, or its owner and mode.") from None


def _user(text: str, *, unquoted: bool) -> Mapping[str, str]:
    name, colon, password = text.partition(":")
    if unquoted:
        name, password = unquote(name), unquote(password)
    return {"user": name, "password": password} if colon else {"token": name}


def _parts(server: str) -> tuple[str, str, str]:
    """Scheme, user part and address of one server's URL. Raises AccessError, which quotes nothing of it."""
    text = server.strip() if "://" in server else f"nats://{server.strip()}"
    try:
        parsed = urlsplit(text)
        host, port = parsed.hostname, parsed.port
    except ValueError:
        host, port, parsed = None, None, urlsplit("")
    if parsed.scheme not in _SCHEMES or not host:
        raise AccessError(
            "NATS' URL is none: write nats://HOST:4222, or tls://HOST:4222 for TLS; what is special in a URL"
            " is written as %XX in user and password."
        )
    user, at, _ = parsed.netloc.rpartition("@")
    name = f"[{host}]" if ":" in host else host
    return parsed.scheme, user if at else "", f"{name}:{port or 4222}"


def _context(tls: Tls) -> ssl.SSLContext:
    """Raises AccessError."""
    for path in filter(None, (tls.ca, tls.certificate, tls.key)):
        read(Path(path))
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except (ssl.SSLError, OSError) as error:
        which = "JELMORE_NATS_CERTIFICATE and JELMORE_NATS_KEY" if tls.certificate else "JELMORE_NATS_CA"
        raise AccessError(
            f"{which}: no certificate (and key of it) in PEM form ({type(error).__name__}): correct the files."
        ) from None
    return context
