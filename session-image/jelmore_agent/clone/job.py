"""What is to be cloned, and how it can fail."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """volume: the folder that holds `workspace`, which the repository becomes. secret: the folder with the Secret's
    keys as files; None where none is named. secret_name: what messages call it.
    """

    url: str
    ref: str | None
    depth: int | None
    volume: Path
    secret: Path | None
    secret_name: str

    @property
    def scheme(self) -> str:
        """Of the url; `USER@HOST:PATH` is ssh."""
        return self.url.partition("://")[0] if "://" in self.url else "ssh"

    @property
    def commit(self) -> bool:
        """Whether the ref is a commit's whole hash (SHA-1 or SHA-256), rather than a name."""
        ref = self.ref or ""
        return len(ref) in (40, 64) and not set(ref) - set("0123456789abcdef")


class CloneError(Exception):
    """Its text says what is wrong and what to do. passing: it may go well a moment later."""

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
