"""The Secret as it is mounted, read anew whenever its files are others.

The kubelet puts a changed Secret into a folder of its own and swaps one link, `..data`, through which all files are
reached: so every file of a version has another inode than before. A look at each request costs some microseconds and
can miss nothing, as a notification could.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_proxy.settings import Kind, Settings, checked_url

logger = logging.getLogger(__name__)

#: The keys of the Secret that are read, by kind: the token's first.
_KEYS = {Kind.API_KEY: ("apiKey",), Kind.GATEWAY: ("token", "baseUrl")}
_MOST_TRIES = 5  # a version that changes under every read is none
_LONGEST = 64 * 1024

#: Of each file: inode, time and size; None where there is none.
type _Look = tuple[tuple[int, int, int] | None, ...]


class Unusable(Exception):
    """The Secret does not hold what it must; says what to do, and nothing of what it holds."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a request goes, and with what. `url` ends without a slash."""

    kind: Kind
    url: str
    token: str = field(repr=False)

    @property
    def credential(self) -> tuple[str, str]:
        """The header that carries the token."""
        if self.kind is Kind.API_KEY:
            return "x-api-key", self.token
        return "Authorization", f"Bearer {self.token}"


class Credentials:
    """`reads` counts versions of the Secret that were seen."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = [settings.secret / key for key in _KEYS[settings.kind]]
        self._look: _Look | None = None
        self._known: Upstream | Unusable = Unusable()
        self.reads = 0

    def current(self) -> Upstream:
        """Of now. Raises Unusable."""
        if self._looked() != self._look:
            self._read()
        if isinstance(self._known, Unusable):
            raise self._known
        return self._known

    def _looked(self) -> _Look:
        return tuple(_look_at(file) for file in self._files)

    def _read(self) -> None:
        """All files of one version: what changed meanwhile is read again."""
        for _ in range(_MOST_TRIES):
            self._look = self._looked()
            try:
                self._known = _upstream(self._settings, [_text(file) for file in self._files])
            except ValueError as reason:
                self._known = Unusable(str(reason))
            if self._looked() == self._look:
                break
        self.reads += 1
        if isinstance(self._known, Unusable):
            logger.warning("the Secret cannot be used: %s", self._known)
        else:
            logger.info("the Secret was read")


def _look_at(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _text(file: Path) -> str:
    """Raises ValueError."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"the session's Secret must hold {file.name}") from None


def _upstream(settings: Settings, texts: list[str]) -> Upstream:
    """Raises ValueError, with what is to be mended."""
    names = _KEYS[settings.kind]
    token = texts[0]
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{names[0]} of the session's Secret must be the token, in one line")
    if settings.kind is Kind.API_KEY:
        return Upstream(settings.kind, settings.url, token)
    return Upstream(settings.kind, checked_url(texts[1], f"{names[1]} of the session's Secret"), token)
