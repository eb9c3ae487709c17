"""Where Jelmore is: `--url`, JELMORE_URL, what `jelmore up` wrote down on this machine, or the usual address."""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jelmore.problems import InvalidRequest, JelmoreError

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Target:
    """`url`: http or https, with no slash at its end. `token`: sent with every call."""

    url: str
    token: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def on_this_machine(self) -> bool:
        """Whether the address is a loopback address: a proxy that the environment names must not get in between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def stream_url(self, path: str) -> str:
        """For a WebSocket."""
        return "ws" + self.url.removeprefix("http") + path


def find_target(url: str | None, environ: Mapping[str, str], token: str | None = None) -> Target:
    """`url`, `token`: as they were given, if they were. Raises InvalidRequest for what is no address or token,
    JelmoreError for a broken file.
    """
    token = token or environ.get("JELMORE_TOKEN") or None
    if token is not None and not (token.isascii() and token.isprintable()):
        raise InvalidRequest("the token (JELMORE_TOKEN) holds characters that no token has: set it anew")
    if url:
        return Target(_checked(url, "url"), token)
    if environ.get("JELMORE_URL"):
        return Target(_checked(environ["JELMORE_URL"], "JELMORE_URL"), token)
    found = written_down(environ)
    return Target(found.url if found else DEFAULT_URL, token)


class Here(NamedTuple):
    """What `jelmore up` wrote down on this machine: the API's address, the data folder, where NATS is."""

    url: str
    home: Path
    nats: str | None


def written_down(environ: Mapping[str, str] = os.environ) -> Here | None:
    """What stands in `endpoints.json`, which is there as long as `jelmore up` runs. Raises JelmoreError for a broken
    file.
    """
    home = Path(environ["JELMORE_HOME"]) if environ.get("JELMORE_HOME") else Path.home() / ".jelmore"
    path = home / "endpoints.json"
    try:
        document = json.loads(path.read_bytes())
        return Here(_checked(document["api"]["url"], str(path)), home, document.get("nats", {}).get("url"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        # Another user's Jelmore: it may still be meant, at the usual address.
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        detail = f"{path} cannot be read ({type(error).__name__}): start Jelmore again, or set JELMORE_URL"
        raise JelmoreError(detail) from error


def _checked(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
        parts = urlsplit("")
    if not valid or parts.query or parts.fragment or parts.username is not None:
        raise InvalidRequest(f"{where} is no address of Jelmore: {DEFAULT_URL} is one")
    return url.rstrip("/")
