"""Taking messages out of the log's stream."""

import contextlib
from datetime import datetime

import nats.js.errors
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from jelmore_api.persister.stream import COMPLETE_FROM
from jelmore_api.retention.purges import Purge, of_ended
from jelmore_contract.bus import consumer_name
from jelmore_contract.subjects import STREAM, SessionKey, parse_subject

#: Seconds: a purge goes through all blocks of the stream that hold its subjects.
_TIMEOUT = 120.0
_INACTIVE = 5.0


class LogStream:
    """Every method raises one of stream.consumer.BUS_ERRORS."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def sequence_at(self, moment: datetime) -> int:
        """The sequence of the first message that was stored at `moment` or later; behind the last one if none was."""
        jetstream = self._client.jetstream(timeout=_TIMEOUT)
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=moment,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_INACTIVE,
            mem_storage=True,
            num_replicas=1,
        )
        consumer = await jetstream.add_consumer(STREAM, config)
        await jetstream.delete_consumer(STREAM, consumer.name)
        assert consumer.delivered is not None
        return (consumer.delivered.stream_seq or 0) + 1

    async def incomplete_below(self, seq: int) -> None:
        """Notes that readers who want messages below `seq` cannot do with the stream alone. Before they go."""
        jetstream = self._client.jetstream(timeout=_TIMEOUT)
        config = (await jetstream.stream_info(STREAM)).config
        noted = config.metadata or {}
        if int(noted.get(COMPLETE_FROM, "1")) < seq:
            await jetstream.update_stream(config.evolve(metadata=noted | {COMPLETE_FROM: str(seq)}))

    async def sessions(self, subject: str, more_than: int) -> set[str]:
        """The ids of the sessions that have so many messages of one subject among those of the filter."""
        jetstream = self._client.jetstream(timeout=_TIMEOUT)
        found = (await jetstream.stream_info(STREAM, subjects_filter=subject)).state.subjects or {}
        return {parse_subject(name).key.session_id for name, count in found.items() if count > more_than}

    async def purge(self, purge: Purge) -> None:
        jetstream = self._client.jetstream(timeout=_TIMEOUT)
        await jetstream.purge_stream(STREAM, seq=purge.below or None, subject=purge.subject)

    async def forget(self, key: SessionKey) -> None:
        """Takes away everything of a session, with the consumer that a deletion without NATS left behind."""
        for purge in of_ended(key):
            await self.purge(purge)
        with contextlib.suppress(nats.js.errors.NotFoundError):
            await self._client.jetstream(timeout=_TIMEOUT).delete_consumer(STREAM, consumer_name(key))
