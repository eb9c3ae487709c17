"""What the proxy is told, by its environment. The token is in none of its messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

ANTHROPIC = "https://api.anthropic.com"


class Kind(StrEnum):
    """Whose token it is, which says in which header it goes."""

    API_KEY = "apiKey"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where all requests go, and with what. `url` ends without a slash."""

    kind: Kind
    url: str
    token: str = field(repr=False)

    @property
    def credential(self) -> tuple[str, str]:
        """The header that carries the token."""
        if self.kind is Kind.API_KEY:
            return "x-api-key", self.token
        return "Authorization", f"Bearer {self.token}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ValueError, with what is to be mended."""
        kind = environ.get("JELMORE_UPSTREAM_KIND", "")
        if kind not in tuple(Kind):
            raise ValueError(f"JELMORE_UPSTREAM_KIND must be one of {', '.join(Kind)}")
        token = environ.get("JELMORE_UPSTREAM_TOKEN", "").strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("JELMORE_UPSTREAM_TOKEN must be the token, in one line: look into the session's Secret")
        return cls(Kind(kind), _url(environ.get("JELMORE_UPSTREAM_URL", "").strip() or ANTHROPIC), token)


def _url(text: str) -> str:
    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("JELMORE_UPSTREAM_URL must be http(s)://host[:port][/path], and no more")
    return text.rstrip("/")
