"""The key-value bucket `jelmore_sessions` of JetStream, read and written by several keys at once."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import nats.js.errors
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.kv import KV_MARKER_REASON, KV_OP

from jelmore_api.bus import Bus, asking_nats
from jelmore_api.errors import unavailable
from jelmore_contract.bus import (
    BATCH_COMMIT,
    BATCH_ID,
    BATCH_SEQUENCE,
    EXPECTED_LAST_SUBJECT_SEQUENCE,
    WRONG_LAST_SEQUENCE,
)
from jelmore_contract.subjects import BUCKET

_STREAM = f"KV_{BUCKET}"
_PREFIX = f"$KV.{BUCKET}."
#: Seconds for an answer of the server.
_TIMEOUT = 5.0


class Changed(Exception):
    """Somebody changed a key since it was read: read it again."""


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
class Entry:
    """A key's value; None where there is none. revision: what compare-and-swap on the key expects, 0 for a new key."""

    value: bytes | None
    revision: int


class Bucket:
    """Every method raises Problem (503) while NATS is away."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen = False

    async def keys(self, pattern: str) -> set[str]:
        """Those that match, deleted ones too as long as their markers are there."""
        await self._ensure()
        with asking_nats():
            info = await self._bus.jetstream.stream_info(_STREAM, subjects_filter=_PREFIX + pattern)
        return {subject.removeprefix(_PREFIX) for subject in info.state.subjects or {}}

    async def purge(self, pattern: str) -> None:
        """Takes away values and markers of the keys that match. Nobody who watches is told."""
        await self._ensure()
        with asking_nats():
            await self._bus.jetstream.purge_stream(_STREAM, subject=_PREFIX + pattern)

    async def read(self, key: str) -> Entry:
        """`key` may have wildcards: then the last one that matches."""
        await self._ensure()
        request = json.dumps({"last_by_subj": _PREFIX + key}).encode()
        with asking_nats():
            answer = await self._bus.client.request(f"$JS.API.DIRECT.GET.{_STREAM}", request, timeout=_TIMEOUT)
        headers = answer.headers or {}
        if "Nats-Sequence" not in headers:
            if headers.get("Status") == "404":
                return Entry(None, 0)
            raise unavailable("NATS")
        # A deleted key leaves a marker: no value, but a revision.
        deleted = KV_OP in headers or KV_MARKER_REASON in headers
        return Entry(None if deleted else answer.data, int(headers["Nats-Sequence"]))

    async def write(self, *changes: tuple[str, bytes, int]) -> int:
        """Stores (key, value, expected revision) all or none; the last one's revision. Raises Changed."""
        await self._ensure()
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

    async def _ensure(self) -> None:
        """Makes the bucket where there is none yet, whoever comes first: API or supervisor."""
        if self._seen:
            return
        with asking_nats():
            try:
                config = (await self._bus.jetstream.stream_info(_STREAM)).config
            except nats.js.errors.NotFoundError:
                config = (await self._bus.jetstream.add_stream(bucket_config())).config
            if not (config.allow_atomic and config.allow_direct):
                # Made by a client that knows of plain buckets only.
                await self._bus.jetstream.update_stream(config.evolve(allow_atomic=True, allow_direct=True))
        self._seen = True


def _sequence(answer: dict[str, Any]) -> int:
    """The sequence that JetStream's answer to a write tells. Raises Changed, or Problem for what else it refuses."""
    error = answer.get("error")
    if error and error.get("err_code") == WRONG_LAST_SEQUENCE:
        raise Changed
    if error:
        raise unavailable("The bus")
    return int(answer["seq"])
