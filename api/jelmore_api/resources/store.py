"""What the API needs of a place where ClaudeSession resources live."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from jelmore_api.resources.idempotency import Mark
from jelmore_contract.resource import ClaudeSession, SessionSpec
from jelmore_contract.subjects import SessionKey


class NameTaken(Exception):
    """Another session of the namespace has this name."""


class AlreadyThere(Exception):
    """There is a resource of this session id."""


class MadeAndGone(Exception):
    """The session that was made with this key is over, and its resource is gone: the log may have it still."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


@dataclass(frozen=True, slots=True)
class StoredSession:
    """revision: of what was read, for the store's own use."""

    resource: ClaudeSession
    revision: int

    @property
    def uid(self) -> str:
        return str(self.resource.metadata.uid)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be. name: None for one that the store makes up. mark: of a request that brought a key."""

    namespace: str
    name: str | None
    spec: SessionSpec
    labels: Mapping[str, str] = field(default_factory=dict)
    mark: Mark | None = None


class Change(NamedTuple):
    """Merge patches (RFC 7396): of the spec, in camelCase, of the labels and of the annotations."""

    spec: Mapping[str, Any]
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str] = MappingProxyType({})


class Made(NamedTuple):
    """before: an earlier request with the same key made it, or with another request under that key."""

    stored: StoredSession
    before: bool = False


class ResourceStore(Protocol):
    """Every method raises Problem: 503 while the place does not answer, and what it refuses otherwise."""

    async def get(self, session_id: str) -> StoredSession | None: ...

    async def create(self, new: NewSession) -> Made:
        """Raises NameTaken, AlreadyThere or MadeAndGone, and has changed nothing then."""
        ...

    async def patch(self, stored: StoredSession, change: Change) -> StoredSession | None:
        """None where the resource is gone."""
        ...

    async def delete(self, stored: StoredSession) -> None:
        """Asks for the session's end; whoever reconciles carries it out. Done again, it changes nothing."""
        ...

    async def clear(self, key: SessionKey) -> None:
        """Takes away what a resource that is gone may have left behind."""
        ...

    async def session_ids(self) -> set[str]:
        """The ids of all resources, maybe of some that are gone too: without reading them."""
        ...

    async def all(self) -> list[StoredSession]: ...
