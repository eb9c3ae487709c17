"""Where the session resources of one machine live: a key-value bucket of JetStream, spec and status under
two keys.

The API writes specs, the supervisor statuses: they meet only through the resource, as in a cluster. A
deletion is a spec whose metadata carries `deletionTimestamp`, whoever asked for it; the supervisor takes both keys
away when it is done.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nats.aio.msg import Msg
from nats.js.kv import KV_DEL, KV_MARKER_REASON, KV_OP
from pydantic import ValidationError

from jelmore_contract.bus import EXPECTED_LAST_SUBJECT_SEQUENCE
from jelmore_contract.events import rfc3339
from jelmore_contract.resource import ClaudeSession, SessionStatus
from jelmore_contract.subjects import BUCKET, SessionKey, spec_key, status_key
from jelmore_operator.bus.connection import Bus
from jelmore_operator.bus.follower import Feed, Follower

logger = logging.getLogger(__name__)

_PREFIX = f"$KV.{BUCKET}."


class _Entry(NamedTuple):
    """value: None once it is deleted; the revision counts even then, for the next write."""

    revision: int
    value: dict[str, Any] | None


class Store:
    """What the bucket holds, kept up to date. `on_change` is called with the key of every resource that
    changed.
    """

    def __init__(self, bus: Bus, on_change: Callable[[SessionKey], None]) -> None:
        self._bus = bus
        self._on_change = on_change
        self._entries: dict[str, _Entry] = {}
        self._resources: dict[SessionKey, ClaudeSession] = {}
        # The API keeps more in the bucket than these.
        feed = Feed(f"KV_{BUCKET}", (f"{_PREFIX}*.*.spec", f"{_PREFIX}*.*.status"))
        self.follower = Follower(feed, self._take, self._synced)

    def keys(self) -> list[SessionKey]:
        return list(self._resources)

    def get(self, key: SessionKey) -> ClaudeSession | None:
        return self._resources.get(key)

    async def write_status(self, key: SessionKey, status: SessionStatus) -> None:
        """Raises nats.js.errors.APIError if somebody else wrote it since."""
        document = status.model_dump(mode="json", by_alias=True)
        name = status_key(key)
        known = self._entries.get(name)
        body = json.dumps(document, separators=(",", ":")).encode()
        headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(known.revision if known else 0)}
        answer = await self._bus.jetstream.publish(_PREFIX + name, body, headers=headers)
        self._put(name, _Entry(answer.seq, document))

    async def delete(self, key: SessionKey) -> None:
        """Marks the resource as the API does. Raises nats.js.errors.APIError if somebody else wrote it since."""
        known = self._entries.get(spec_key(key))
        if known is None or known.value is None or known.value["metadata"].get("deletionTimestamp"):
            return
        metadata = known.value["metadata"]
        marks = {"deletionTimestamp": rfc3339(datetime.now(UTC)), "generation": metadata["generation"] + 1}
        document = {**known.value, "metadata": {**metadata, **marks}}
        body = json.dumps(document, separators=(",", ":")).encode()
        headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(known.revision)}
        answer = await self._bus.jetstream.publish(_PREFIX + spec_key(key), body, headers=headers)
        self._put(spec_key(key), _Entry(answer.seq, document))

    async def forget(self, key: SessionKey) -> None:
        """Takes the resource away. The spec goes last: as long as it is there, this is done again."""
        for name in (status_key(key), spec_key(key)):
            known = self._entries.get(name)
            if known is not None and known.value is not None:
                answer = await self._bus.jetstream.publish(_PREFIX + name, b"", headers={KV_OP: KV_DEL})
                self._put(name, _Entry(answer.seq, None))

    def _take(self, message: Msg) -> None:
        name = message.subject.removeprefix(_PREFIX)
        headers = message.headers or {}
        gone = KV_OP in headers or KV_MARKER_REASON in headers
        value = None if gone else json.loads(message.data)
        self._put(name, _Entry(message.metadata.sequence.stream, value))

    def _synced(self, subjects: set[str]) -> None:
        """What was purged while nobody looked left no marker."""
        for name in list(self._entries):
            if _PREFIX + name not in subjects:
                self._put(name, _Entry(self._entries[name].revision, None))

    def _put(self, name: str, entry: _Entry) -> None:
        known = self._entries.get(name)
        if known is not None and known.revision > entry.revision:
            return
        self._entries[name] = entry
        if known is not None and known.value == entry.value:
            return
        namespace, _, rest = name.partition(".")
        key = SessionKey(namespace, rest.partition(".")[0])
        self._assemble(key)
        self._on_change(key)

    def _assemble(self, key: SessionKey) -> None:
        spec = self._entries.get(spec_key(key))
        status = self._entries.get(status_key(key))
        if spec is None or spec.value is None:
            self._resources.pop(key, None)
            return
        document = {name: value for name, value in spec.value.items() if name != "status"}
        if status is not None and status.value is not None:
            document["status"] = status.value
        try:
            self._resources[key] = ClaudeSession.model_validate(document)
        except ValidationError as error:
            # Without what was given: it may hold secrets.
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
            raise ValueError(f"no session resource: {'; '.join(problems)}") from None
