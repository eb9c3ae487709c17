"""Writes to the ClaudeSessions themselves: the finalizer, and the status."""

from jelmore_contract.resource import API_VERSION, KIND, ClaudeSession, SessionStatus
from jelmore_operator.kube.api import SESSIONS, Api, ApiError, Document
from jelmore_operator.kube.names import FINALIZER
from jelmore_operator.kube.store import Store


class Resources:
    """Every write raises ApiError."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    def let_go(self, resource: ClaudeSession) -> bool:
        """Whether nothing is left to do for a resource that is being deleted."""
        deleted = resource.metadata.deletion_timestamp is not None
        return deleted and FINALIZER not in self._finalizers(resource)

    def is_new(self, resource: ClaudeSession) -> bool:
        """Whether no operator has done anything about it yet: to hold it is the first."""
        return FINALIZER not in self._finalizers(resource)

    async def hold(self, resource: ClaudeSession) -> bool:
        """Keeps a deletion from passing unseen. Whether it was new until now."""
        if not self.is_new(resource):
            return False
        await self._set_finalizers(resource, [*self._finalizers(resource), FINALIZER])
        return True

    async def delete(self, resource: ClaudeSession) -> None:
        """As a person would: it goes once the finalizer does."""
        document = self._store.document(resource)
        left = await self._api.delete(SESSIONS, document) if document is not None else None
        if left is not None and left.get("kind") == KIND:
            self._store.sessions.put(left)

    async def release(self, resource: ClaudeSession) -> None:
        try:
            others = [name for name in self._finalizers(resource) if name != FINALIZER]
            await self._set_finalizers(resource, others)
        except ApiError as error:
            if error.status != 404:
                raise

    async def write_status(self, resource: ClaudeSession, status: SessionStatus) -> None:
        metadata = resource.metadata
        identity = {"name": metadata.name, "namespace": metadata.namespace, "uid": str(metadata.uid)}
        patch = _patch(identity)
        # null, in a merge patch, takes away.
        patch["status"] = status.model_dump(mode="json", by_alias=True)
        self._store.sessions.put(await self._api.patch(SESSIONS, patch, "/status"))

    def _finalizers(self, resource: ClaudeSession) -> list[str]:
        document = self._store.document(resource)
        found: list[str] = document["metadata"].get("finalizers", []) if document is not None else []
        return found

    async def _set_finalizers(self, resource: ClaudeSession, finalizers: list[str]) -> None:
        """Of this version only: a list is replaced whole, and others have theirs in it."""
        document = self._store.document(resource)
        if document is None:
            return
        kept = ("name", "namespace", "resourceVersion")
        patch = _patch({name: document["metadata"][name] for name in kept} | {"finalizers": finalizers})
        self._store.sessions.put(await self._api.patch(SESSIONS, patch))


def _patch(metadata: Document) -> Document:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
