"""The log's stream: made where it is missing, and never opened to writers before they can find where they stopped.

A stream that is made anew starts above every sequence ever given, and first takes nothing but the sessions' last
reports, with direct reads off: an agent that looked in between would find nothing, and publish its session's whole past
again. Whoever dies in the middle of this is followed by one who goes on with it.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from jelmore_contract.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, WRONG_LAST_SEQUENCE
from jelmore_contract.subjects import ALL_REPORTS, BUCKET, STREAM, STREAM_SUBJECTS, SessionKey, report_subject

logger = logging.getLogger(__name__)

_TIMEOUT = 5.0
_DUPLICATE_WINDOW = 120.0  # seconds; only spares the server work, nothing depends on it
#: Each session has one, and each that is watched another. Without a number nats-server stops at a thousand.
_MOST_CONSUMERS = 1_000_000
#: Sequences left out when a stream is made anew: clients may have seen some that PostgreSQL had not got yet.
_LEFT_OUT = 1_000_000
#: Metadata of the stream: it held every message from this sequence on when it was made.
COMPLETE_FROM = "jelmore-complete-from"


class LogUnusable(Exception):
    """The log cannot be used as it is. The text says why and what to do."""


class StoredReport(NamedTuple):
    key: SessionKey
    body: bytes


def stream_config(first_seq: int) -> StreamConfig:
    """As it is once it is open."""
    return StreamConfig(
        name=STREAM,
        description="Everything that was asked of sessions and that they said and did",
        subjects=list(STREAM_SUBJECTS),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=0,
        max_consumers=_MOST_CONSUMERS,
        duplicate_window=_DUPLICATE_WINDOW,
        first_seq=first_seq,
        allow_direct=True,
        allow_atomic=True,
        # A roll-up of all subjects could not be told from one of a session's own: it would purge the whole log.
        allow_rollup_hdrs=False,
        metadata={COMPLETE_FROM: str(first_seq)},
    )


async def prepare_log(
    client: Client, position: int, reports: Callable[[], Awaitable[Iterable[StoredReport]]]
) -> StreamInfo:
    """Makes and opens the stream, and the bucket of session resources. `position`: what PostgreSQL has.

    Raises LogUnusable, or one of stream.consumer.BUS_ERRORS.
    """
    jetstream = client.jetstream(timeout=_TIMEOUT)
    info = await _find(jetstream)
    if info is None:
        info = await jetstream.add_stream(_closed(stream_config(position + _LEFT_OUT if position else 1)))
        logger.info("made the stream %s from sequence %d", STREAM, info.config.first_seq or 1)
    if not info.config.allow_direct:
        await _restore(client, await reports())
        info = await jetstream.update_stream(stream_config(info.config.first_seq or 1))
    elif info.config.max_consumers != _MOST_CONSUMERS:
        # Made by 0.1.0, which named none.
        info = await jetstream.update_stream(info.config.evolve(max_consumers=_MOST_CONSUMERS))
    if info.state.last_seq < position:
        raise LogUnusable(
            f"the stream {STREAM} ends at {info.state.last_seq}, but PostgreSQL has it up to {position}: NATS was put"
            f" back to an older state. Restore both from one backup, or delete the stream, to be made anew above that"
        )
    await _make_bucket(jetstream)
    return info


async def _find(jetstream: JetStreamContext) -> StreamInfo | None:
    try:
        return await jetstream.stream_info(STREAM)
    except nats.js.errors.NotFoundError:
        return None


def _closed(config: StreamConfig) -> StreamConfig:
    """For the reports alone, and not to be read from."""
    return replace(config, subjects=[ALL_REPORTS], allow_direct=False)


async def _restore(client: Client, reports: Iterable[StoredReport]) -> None:
    jetstream = client.jetstream(timeout=_TIMEOUT)
    for report in reports:
        headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: "0"}
        try:
            await jetstream.publish(report_subject(report.key), report.body, headers=headers, stream=STREAM)
        except nats.js.errors.APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:  # it was put back already, or its agent wrote a newer one
                raise


async def _make_bucket(jetstream: JetStreamContext) -> None:
    try:
        await jetstream.key_value(BUCKET)
    except nats.js.errors.NotFoundError:
        await jetstream.create_key_value(KeyValueConfig(bucket=BUCKET, storage=StorageType.FILE))
