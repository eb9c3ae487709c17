"""What a cluster's ClaudeSessions are, as far as this process knows: fed by a watch, and by the answers to own writes.

Both can tell of the same change, in any order; resource versions, which grow, say which one is newer. No I/O.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from jelmore_api.resources.store import StoredSession
from jelmore_contract.resource import ClaudeSession

_log = logging.getLogger("jelmore.api.resources")

type Document = Mapping[str, Any]


def version(document: Document) -> int:
    """The resource version of an object or of a list."""
    return int(document["metadata"]["resourceVersion"])


class SessionCache:
    """A scope is the namespace that one watch covers; None is all namespaces."""

    def __init__(self, scopes: Iterable[str | None]) -> None:
        self._positions: dict[str | None, int | None] = dict.fromkeys(scopes)
        self._by_uid: dict[str, StoredSession] = {}
        self._by_id: dict[str, set[str]] = {}
        self._awaited: dict[str, set[asyncio.Event]] = {}

    @property
    def filled(self) -> bool:
        """Whether every scope has been listed once."""
        return None not in self._positions.values()

    def get(self, session_id: str) -> StoredSession | None:
        """Of several that claim an id, the one whose uid it is, or else the oldest: an id cannot be taken away."""
        claims = [self._by_uid[uid] for uid in self._by_id.get(session_id, ())]
        return min(claims, key=_precedence, default=None)

    def ids(self) -> set[str]:
        return set(self._by_id)

    def all(self) -> list[StoredSession]:
        return [stored for stored in map(self.get, list(self._by_id)) if stored is not None]

    async def appears(self, session_id: str, within: float) -> bool:
        """Whether there is such a session, or comes within so many seconds."""
        if session_id in self._by_id:
            return True
        event = asyncio.Event()
        waiting = self._awaited.setdefault(session_id, set())
        waiting.add(event)
        try:
            async with asyncio.timeout(within):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            waiting.discard(event)
            if not waiting:
                self._awaited.pop(session_id, None)
        return True

    def replace(self, scope: str | None, documents: Iterable[Document], position: int) -> None:
        """A list of all that the scope has, as of `position`."""
        listed = {stored.uid for document in documents if (stored := self._put(document)) is not None}
        for uid, stored in list(self._by_uid.items()):
            in_scope = scope is None or stored.resource.metadata.namespace == scope
            if in_scope and uid not in listed and stored.revision <= position:
                self._remove(uid)
        self._positions[scope] = position

    def event(self, scope: str | None, kind: str, document: Document) -> None:
        """An event of the scope's watch: ADDED, MODIFIED, DELETED or BOOKMARK."""
        if kind == "DELETED":
            self._remove(str(document["metadata"]["uid"]))
        elif kind != "BOOKMARK":
            self._put(document)
        self._positions[scope] = version(document)

    def told(self, document: Document) -> StoredSession | None:
        """The answer to an own write; None for what cannot be read.

        One that the cache does not have, and that is older than what the watch has brought, is gone already.
        """
        namespace = document["metadata"]["namespace"]
        position = self._positions.get(namespace, self._positions.get(None)) or 0
        if str(document["metadata"]["uid"]) not in self._by_uid and version(document) <= position:
            return _read(document)
        return self._put(document)

    def _put(self, document: Document) -> StoredSession | None:
        stored = _read(document)
        if stored is None:
            return None
        known = self._by_uid.get(stored.uid)
        if known is not None and known.revision >= stored.revision:
            return known
        self._by_uid[stored.uid] = stored
        session_id = stored.resource.session_id
        self._by_id.setdefault(session_id, set()).add(stored.uid)
        for event in self._awaited.get(session_id, ()):
            event.set()
        return stored

    def _remove(self, uid: str) -> None:
        stored = self._by_uid.pop(uid, None)
        if stored is None:
            return
        session_id = stored.resource.session_id
        self._by_id[session_id].discard(uid)
        if not self._by_id[session_id]:
            del self._by_id[session_id]


def _precedence(stored: StoredSession) -> tuple[bool, float, str]:
    created = stored.resource.metadata.creation_timestamp.timestamp()
    return (stored.uid != stored.resource.session_id, created, stored.uid)


def _read(document: Document) -> StoredSession | None:
    try:
        resource = ClaudeSession.read(document)
    except ValidationError as error:
        # With words of another version. Without what was given: it may hold secrets.
        metadata = document["metadata"]
        wrong = ", ".join(".".join(map(str, found["loc"])) for found in error.errors(include_input=False))
        _log.warning("%s/%s is no session that is understood here: %s", metadata["namespace"], metadata["name"], wrong)
        return None
    return StoredSession(resource, version(document))
