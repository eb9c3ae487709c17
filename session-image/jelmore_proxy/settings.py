"""What the proxy is told by its environment: whose token it adds, and where that lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

ANTHROPIC = "https://api.anthropic.com"


class Kind(StrEnum):
    """Whose token it is, which says in which header it goes."""

    API_KEY = "apiKey"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Settings:
    """secret: where the Secret is mounted. url: where an API key goes; a gateway's own stands in its Secret."""

    kind: Kind
    secret: Path
    url: str = ANTHROPIC

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ValueError, with what is to be mended."""
        kind = environ.get("JELMORE_UPSTREAM_KIND", "")
        if kind not in tuple(Kind):
            raise ValueError(f"JELMORE_UPSTREAM_KIND must be one of {', '.join(Kind)}")
        secret = Path(environ.get("JELMORE_UPSTREAM_SECRET", ""))
        if not secret.is_absolute():
            raise ValueError("JELMORE_UPSTREAM_SECRET must be the folder where the Secret is mounted")
        url = environ.get("JELMORE_UPSTREAM_URL", "").strip() or ANTHROPIC
        return cls(Kind(kind), secret, checked_url(url, "JELMORE_UPSTREAM_URL"))


def checked_url(text: str, name: str) -> str:
    """Without a slash at its end. Raises ValueError that does not show the text, which may be a token."""
    try:
        parts = urlsplit(text)
        plain = not (parts.query or parts.fragment or parts.username or parts.password)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and plain and parts.port != 0
    except ValueError:
        fit = False
    if not fit or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{name} must be http(s)://host[:port][/path], and no more")
    return text.rstrip("/")
