"""What the API needs of a place where ClaudeSession resources live."""

from dataclasses import dataclass
from typing import Protocol

from jelmore_contract.resource import ClaudeSession


class NameTaken(Exception):
    """Another session of the namespace has this name."""


class AlreadyThere(Exception):
    """There is a resource of this session id."""


class Changed(Exception):
    """Somebody changed the resource since it was read: read it again."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """revision: of metadata and spec, for `replace`."""

    resource: ClaudeSession
    revision: int


class ResourceStore(Protocol):
    """Every method raises Problem (503) while the place does not answer."""

    async def get(self, session_id: str) -> StoredSession | None: ...

    async def create(self, resource: ClaudeSession) -> StoredSession:
        """Raises NameTaken or AlreadyThere, and has changed nothing then."""
        ...

    async def replace(self, seen: StoredSession, resource: ClaudeSession) -> StoredSession:
        """Stores new metadata and spec for those that were seen. Raises Changed."""
        ...

    async def session_ids(self) -> set[str]:
        """The ids of all resources, without reading them."""
        ...

    async def all(self) -> list[StoredSession]: ...
