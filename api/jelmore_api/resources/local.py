"""One machine's store: the key-value bucket `jelmore_sessions` of JetStream.

`<namespace>.<session_id>.spec` holds metadata and spec and is written here; `….status` is written by the supervisor. A
third key, `<namespace>.<name>.name`, holds the id of the session that has the name: `{"sessionId": …}`. It is stored in
one atomic batch with the spec, so that two sessions that want one name at the same moment cannot both get it. A name
whose session is gone is free: nobody has to release it.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from jelmore_api.bus import Bus
from jelmore_api.clock import utc_now
from jelmore_api.errors import Problem
from jelmore_api.resources.bucket import Bucket, Changed
from jelmore_api.resources.changes import changed_labels, changed_spec
from jelmore_api.resources.idempotency import ANNOTATION
from jelmore_api.resources.store import AlreadyThere, Change, Made, MadeAndGone, NameTaken, NewSession, StoredSession
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import encode_json
from jelmore_contract.resource import ClaudeSession, Metadata
from jelmore_contract.subjects import SessionKey, spec_key

#: Bytes of a resource: it must fit NATS' default max_payload of 1 MiB.
MAX_RESOURCE_BYTES = 1_000_000
#: The ids of sessions made with an Idempotency-Key are made from it in this namespace.
_KEYS = UUID("6b2f9a52-8c1d-4c39-9d0e-3a5b0f5c9a11")
_log = logging.getLogger("jelmore.api.resources")


def name_key(namespace: str, name: str) -> str:
    """Where the id of the session that has a name is kept."""
    return f"{namespace}.{name}.name"


class LocalStore:
    """A ResourceStore (see there)."""

    def __init__(self, bus: Bus, clock: Callable[[], datetime] = utc_now) -> None:
        self._bucket = Bucket(bus)
        self._clock = clock

    async def get(self, session_id: str) -> StoredSession | None:
        found, status = await asyncio.gather(
            self._bucket.read(f"*.{session_id}.spec"), self._bucket.read(f"*.{session_id}.status")
        )
        if found.value is None:
            return None
        document: dict[str, Any] = json.loads(found.value)
        if status.value is not None:
            document["status"] = json.loads(status.value)
        return StoredSession(ClaudeSession.model_validate(document), found.revision)

    async def create(self, new: NewSession) -> Made:
        resource = self._resource(new)
        if new.mark and (there := await self._made_before(new, resource)):
            return there
        try:
            return Made(await self._create(resource))
        except AlreadyThere:
            if new.mark and (there := await self._made_before(new, resource)):
                return there
            raise

    def _resource(self, new: NewSession) -> ClaudeSession:
        uid = uuid5(_KEYS, new.mark.key) if new.mark else uuid4()
        metadata = Metadata(
            name=new.name or f"session-{uid.hex[:8]}",
            namespace=new.namespace,
            uid=uid,
            creation_timestamp=self._clock(),
            labels=dict(new.labels),
            annotations={ANNOTATION: new.mark.annotation} if new.mark else {},
        )
        return _checked(ClaudeSession(metadata=metadata, spec=new.spec))

    async def _made_before(self, new: NewSession, resource: ClaudeSession) -> Made | None:
        """What the key made. Raises MadeAndGone."""
        assert new.mark is not None
        stored = await self.get(resource.session_id)
        if stored is not None:
            return Made(stored, before=True) if new.mark.same_key(stored.resource.metadata) else None
        if (await self._bucket.read(spec_key(_key(resource)))).revision:
            raise MadeAndGone(resource.session_id)
        return None

    async def _create(self, resource: ClaudeSession) -> StoredSession:
        metadata, spec = resource.metadata, spec_key(_key(resource))
        if (await self._bucket.read(f"*.{resource.session_id}.spec")).value is not None:
            raise AlreadyThere
        gone = await self._bucket.read(spec)
        name = name_key(metadata.namespace, metadata.name)
        holder = await self._bucket.read(name)
        if holder.value:
            named = json.loads(holder.value)["sessionId"]
            if (await self._bucket.read(f"*.{named}.spec")).value is not None:
                raise AlreadyThere if named == resource.session_id else NameTaken
        mine = json.dumps({"sessionId": resource.session_id}).encode()
        try:
            revision = await self._bucket.write(
                (name, mine, holder.revision), (spec, _document(resource), gone.revision)
            )
        except Changed:
            # Somebody was faster by a moment: with the name, or with the id.
            same_id = (await self._bucket.read(spec)).value is not None
            raise (AlreadyThere if same_id else NameTaken) from None
        return StoredSession(resource, revision)

    async def patch(self, stored: StoredSession, change: Change) -> StoredSession | None:
        def changed(resource: ClaudeSession) -> ClaudeSession:
            spec = changed_spec(resource.spec, change.spec)
            after = resource if spec == resource.spec else _next_generation(resource)
            labels = changed_labels(resource.metadata.labels, change.labels)
            annotations = {**resource.metadata.annotations, **change.annotations}
            metadata = after.metadata.model_copy(update={"labels": labels, "annotations": annotations})
            return after.model_copy(update={"spec": spec, "metadata": metadata})

        return await self._update(stored, changed)

    async def delete(self, stored: StoredSession) -> None:
        def marked(resource: ClaudeSession) -> ClaudeSession:
            metadata = _next_generation(resource).metadata
            marked_metadata = metadata.model_copy(update={"deletion_timestamp": self._clock()})
            return resource.model_copy(update={"metadata": marked_metadata})

        await self._update(stored, marked)

    async def _update(
        self, stored: StoredSession, change: Callable[[ClaudeSession], ClaudeSession]
    ) -> StoredSession | None:
        """Stores what `change` makes of the resource, unless it is gone, being deleted, or the same."""
        found: StoredSession | None = stored
        while found is not None and found.resource.metadata.deletion_timestamp is None:
            resource = change(found.resource)
            if resource == found.resource:
                return found
            try:
                revision = await self._bucket.write(
                    (spec_key(_key(resource)), _document(_checked(resource)), found.revision)
                )
                return StoredSession(resource, revision)
            except Changed:
                _log.info("the resource changed meanwhile, reading it again")
                found = await self.get(resource.session_id)
        return found

    async def clear(self, key: SessionKey) -> None:
        await self._bucket.purge(f"{key.namespace}.{key.session_id}.*")

    async def session_ids(self) -> set[str]:
        return {key.split(".")[1] for key in await self._bucket.keys("*.*.spec")}

    async def all(self) -> list[StoredSession]:
        found = [await self.get(session_id) for session_id in await self.session_ids()]
        return [stored for stored in found if stored is not None]


def _key(resource: ClaudeSession) -> SessionKey:
    return SessionKey(resource.metadata.namespace, resource.session_id)


def _next_generation(resource: ClaudeSession) -> ClaudeSession:
    metadata = resource.metadata
    return resource.model_copy(update={"metadata": metadata.model_copy(update={"generation": metadata.generation + 1})})


def _checked(resource: ClaudeSession) -> ClaudeSession:
    """Raises Problem for one that is too large to be stored."""
    if len(encode_json(resource.to_document())) > MAX_RESOURCE_BYTES:
        detail = f"The session's fields take more than {MAX_RESOURCE_BYTES} bytes. Put long text into a file."
        raise Problem(ProblemType.TOO_LARGE, detail)
    return resource


def _document(resource: ClaudeSession) -> bytes:
    document = resource.to_document()
    del document["status"]
    return json.dumps(document, separators=(",", ":")).encode()
