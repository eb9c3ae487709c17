"""A cluster's store: ClaudeSessions, written at the API server and read from a cache that a watch keeps up to date."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from jelmore_api.cluster.answers import NAME, Refused
from jelmore_api.cluster.client import MERGE_PATCH, Cluster
from jelmore_api.cluster.problems import is_gone, refusal
from jelmore_api.errors import internal, unavailable
from jelmore_api.resources.idempotency import ANNOTATION
from jelmore_api.resources.kube_cache import Document, SessionCache
from jelmore_api.resources.kube_watch import GROUP_VERSION, Watcher, sessions_path
from jelmore_api.resources.store import AlreadyThere, Change, Made, NameTaken, NewSession, StoredSession
from jelmore_contract.resource import KIND
from jelmore_contract.subjects import SessionKey

FIELD_MANAGER = "jelmore-api"
#: An unknown field would otherwise be dropped without a word.
_WRITE = (("fieldValidation", "Strict"), ("fieldManager", FIELD_MANAGER))
_NAME_DIGITS = 12  # hexadecimal


class KubeStore:
    """A ResourceStore (see there). `namespaces`: those that are served; all without any."""

    def __init__(self, cluster: Cluster, namespaces: Sequence[str]) -> None:
        self._cluster = cluster
        scopes: list[str | None] = [*namespaces] or [None]
        self._cache = SessionCache(scopes)
        self._watchers = [Watcher(cluster, scope, self._cache) for scope in scopes]

    async def watch(self) -> None:
        """Keeps the cache up to date, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for watcher in self._watchers:
                tasks.create_task(watcher.run())

    @property
    def problem(self) -> str | None:
        """What keeps this from being up to date, for a person."""
        return next((watcher.problem for watcher in self._watchers if watcher.problem), None)

    async def appears(self, session_id: str, within: float) -> bool:
        """Whether there is such a session, or comes within so many seconds: another replica may just have made it."""
        return await self._known().appears(session_id, within)

    async def get(self, session_id: str) -> StoredSession | None:
        return self._known().get(session_id)

    async def clear(self, key: SessionKey) -> None:
        """Nothing is left of an object that is gone."""

    async def session_ids(self) -> set[str]:
        return self._known().ids()

    async def all(self) -> list[StoredSession]:
        return self._known().all()

    def _known(self) -> SessionCache:
        if not self._cache.filled:
            raise unavailable(NAME)
        return self._cache

    async def create(self, new: NewSession) -> Made:
        if new.mark is not None and (before := self._marked(new)) is not None:
            return Made(before, before=True)
        if new.spec.session_id is not None and self._known().get(str(new.spec.session_id)) is not None:
            raise AlreadyThere
        document = _document(new)
        try:
            answer = await self._cluster.call("POST", sessions_path(new.namespace), query=_WRITE, body=document)
        except Refused as refused:
            if refused.reason == "AlreadyExists":
                return await self._of_that_name(new, document["metadata"]["name"])
            raise refusal(refused, new.namespace) from refused
        return Made(self._told(answer))

    def _marked(self, new: NewSession) -> StoredSession | None:
        """What the request's key made before, under whatever name."""
        assert new.mark is not None
        for stored in self._known().all():
            metadata = stored.resource.metadata
            if metadata.namespace == new.namespace and new.mark.same_key(metadata):
                return stored
        return None

    async def _of_that_name(self, new: NewSession, name: str) -> Made:
        """What the same request made a moment ago, here or elsewhere. Raises NameTaken where it is another's."""
        try:
            stored = self._told(await self._cluster.call("GET", sessions_path(new.namespace, name)))
        except Refused as refused:
            raise refusal(refused, new.namespace) from refused
        if new.mark is None or not new.mark.same_key(stored.resource.metadata):
            raise NameTaken
        return Made(stored, before=True)

    async def patch(self, stored: StoredSession, change: Change) -> StoredSession | None:
        # With the uid it is refused where another session has the name by now.
        metadata: dict[str, Any] = {"uid": stored.uid, "annotations": dict(change.annotations)}
        metadata |= {"labels": dict(change.labels)} if change.labels else {}
        body = {"metadata": metadata, "spec": change.spec}
        answer = await self._write("PATCH", stored, body, MERGE_PATCH)
        return self._told(answer) if answer is not None else None

    async def delete(self, stored: StoredSession) -> None:
        answer = await self._write("DELETE", stored, {"preconditions": {"uid": stored.uid}}, "application/json")
        if answer is not None and answer.get("kind") == KIND:
            self._cache.told(answer)

    async def _write(self, method: str, stored: StoredSession, body: Any, content_type: str) -> dict[str, Any] | None:
        """None where the resource is gone, another of its name or none."""
        metadata = stored.resource.metadata
        path = sessions_path(metadata.namespace, metadata.name)
        query = _WRITE if method == "PATCH" else ()
        try:
            return await self._cluster.call(method, path, query=query, body=body, content_type=content_type)
        except Refused as refused:
            if is_gone(refused):
                return None
            raise refusal(refused, metadata.namespace, stored.resource.session_id) from refused

    def _told(self, answer: Document) -> StoredSession:
        stored = self._cache.told(answer)
        if stored is None:
            # Stored by an API server that knows another version of the resource.
            raise internal()
        return stored


def _document(new: NewSession) -> dict[str, Any]:
    """Without the defaults: the API server has them, and what was asked for is seen."""
    metadata: dict[str, Any] = {"name": new.name or _made_up(new), "namespace": new.namespace}
    if new.labels:
        metadata["labels"] = dict(new.labels)
    if new.mark is not None:
        metadata["annotations"] = {ANNOTATION: new.mark.annotation}
    spec = new.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"apiVersion": GROUP_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def _made_up(new: NewSession) -> str:
    """With a key always the same: two requests that come at once, at two replicas, want the same name."""
    digits = new.mark.key if new.mark is not None else secrets.token_hex(_NAME_DIGITS // 2)
    return f"session-{digits[:_NAME_DIGITS]}"
