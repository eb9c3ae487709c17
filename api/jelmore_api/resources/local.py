"""One machine's store: the key-value bucket `jelmore_sessions` of JetStream.

`<namespace>.<session_id>.spec` holds metadata and spec and is written here; `….status` is written by the supervisor. A
third key, `<namespace>.<name>.name`, holds the id of the session that has the name: `{"sessionId": …}`. It is stored in
one atomic batch with the spec, so that two sessions that want one name at the same moment cannot both get it. A name
whose session is gone is free: nobody has to release it.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import nats.js.errors
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.kv import KV_MARKER_REASON, KV_OP

from jelmore_api.bus import Bus, asking_nats
from jelmore_api.errors import unavailable
from jelmore_api.resources.store import AlreadyThere, Changed, NameTaken, StoredSession
from jelmore_contract.bus import (
    BATCH_COMMIT,
    BATCH_ID,
    BATCH_SEQUENCE,
    EXPECTED_LAST_SUBJECT_SEQUENCE,
    WRONG_LAST_SEQUENCE,
)
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import BUCKET, SessionKey, spec_key, status_key

_STREAM = f"KV_{BUCKET}"
_PREFIX = f"$KV.{BUCKET}."
_SPECS = f"{_PREFIX}*.*.spec"
#: Seconds for an answer of the server.
_TIMEOUT = 5.0


def name_key(namespace: str, name: str) -> str:
    """Where the id of the session that has a name is kept."""
    return f"{namespace}.{name}.name"


def bucket_config() -> StreamConfig:
    """The bucket as a stream: a key-value bucket as any client makes it, with atomic batches."""
    return StreamConfig(
        name=_STREAM,
        subjects=[f"{_PREFIX}>"],
        storage=StorageType.FILE,
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        allow_direct=True,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_atomic=True,
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key's value; None where there is none. revision: what compare-and-swap on the key expects, 0 for a new key."""

    value: bytes | None
    revision: int


class LocalStore:
    """A ResourceStore (see there)."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._bucket_seen = False

    async def get(self, session_id: str) -> StoredSession | None:
        found = await self._read(f"*.{session_id}.spec")
        if found.value is None:
            return None
        document: dict[str, Any] = json.loads(found.value)
        namespace = document["metadata"]["namespace"]
        status = await self._read(status_key(SessionKey(namespace, session_id)))
        if status.value is not None:
            document["status"] = json.loads(status.value)
        return StoredSession(ClaudeSession.model_validate(document), found.revision)

    async def create(self, resource: ClaudeSession) -> StoredSession:
        metadata = resource.metadata
        spec = spec_key(SessionKey(metadata.namespace, resource.session_id))
        if (await self._read(f"*.{resource.session_id}.spec")).value is not None:
            raise AlreadyThere
        gone = await self._read(spec)
        name = name_key(metadata.namespace, metadata.name)
        holder = await self._read(name)
        if holder.value:
            named = json.loads(holder.value)["sessionId"]
            if (await self._read(f"*.{named}.spec")).value is not None:
                raise AlreadyThere if named == resource.session_id else NameTaken
        mine = json.dumps({"sessionId": resource.session_id}).encode()
        try:
            revision = await self._write((name, mine, holder.revision), (spec, _document(resource), gone.revision))
        except Changed:
            # Somebody was faster by a moment: with the name, or with the id.
            same_id = (await self._read(spec)).value is not None
            raise (AlreadyThere if same_id else NameTaken) from None
        return StoredSession(resource, revision)

    async def replace(self, seen: StoredSession, resource: ClaudeSession) -> StoredSession:
        key = spec_key(SessionKey(resource.metadata.namespace, resource.session_id))
        return StoredSession(resource, await self._write((key, _document(resource), seen.revision)))

    async def session_ids(self) -> set[str]:
        await self._ensure_bucket()
        with asking_nats():
            info = await self._bus.jetstream.stream_info(_STREAM, subjects_filter=_SPECS)
        return {subject.split(".")[-2] for subject in info.state.subjects or {}}

    async def all(self) -> list[StoredSession]:
        found = [await self.get(session_id) for session_id in await self.session_ids()]
        return [stored for stored in found if stored is not None]

    async def _read(self, key: str) -> _Entry:
        """`key` may have wildcards: then the last one that matches."""
        await self._ensure_bucket()
        request = json.dumps({"last_by_subj": _PREFIX + key}).encode()
        with asking_nats():
            answer = await self._bus.client.request(f"$JS.API.DIRECT.GET.{_STREAM}", request, timeout=_TIMEOUT)
        headers = answer.headers or {}
        if "Nats-Sequence" not in headers:
            if headers.get("Status") == "404":
                return _Entry(None, 0)
            raise unavailable("NATS")
        # A deleted key leaves a marker: no value, but a revision.
        deleted = KV_OP in headers or KV_MARKER_REASON in headers
        return _Entry(None if deleted else answer.data, int(headers["Nats-Sequence"]))

    async def _write(self, *changes: tuple[str, bytes, int]) -> int:
        """Stores (key, value, expected revision) all or none; the last one's revision. Raises Changed."""
        await self._ensure_bucket()
        client, batch, last = self._bus.client, uuid4().hex, len(changes)
        with asking_nats():
            for place, (key, value, revision) in enumerate(changes[:-1], 1):
                headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(revision), BATCH_ID: batch, BATCH_SEQUENCE: str(place)}
                await client.publish(_PREFIX + key, value, headers=headers)
            key, value, revision = changes[-1]
            headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(revision)}
            if last > 1:
                headers |= {BATCH_ID: batch, BATCH_SEQUENCE: str(last), BATCH_COMMIT: "1"}
            answer = await client.request(_PREFIX + key, value, timeout=_TIMEOUT, headers=headers)
        return _sequence(json.loads(answer.data))

    async def _ensure_bucket(self) -> None:
        """Makes the bucket where there is none yet, whoever comes first: API or supervisor."""
        if self._bucket_seen:
            return
        with asking_nats():
            try:
                config = (await self._bus.jetstream.stream_info(_STREAM)).config
            except nats.js.errors.NotFoundError:
                config = (await self._bus.jetstream.add_stream(bucket_config())).config
            if not (config.allow_atomic and config.allow_direct):
                # Made by a client that knows of plain buckets only.
                await self._bus.jetstream.update_stream(config.evolve(allow_atomic=True, allow_direct=True))
        self._bucket_seen = True


def _document(resource: ClaudeSession) -> bytes:
    document = resource.to_document()
    del document["status"]
    return json.dumps(document, separators=(",", ":")).encode()


def _sequence(answer: dict[str, Any]) -> int:
    """The sequence that JetStream's answer to a write tells. Raises Changed, or Problem for what else it refuses."""
    error = answer.get("error")
    if error and error.get("err_code") == WRONG_LAST_SEQUENCE:
        raise Changed
    if error:
        raise unavailable("The bus")
    return int(answer["seq"])
