"""How much of each session's output Redis has at hand."""

import logging

from redis.asyncio import Redis

from jelmore_api.persister.hot import REDIS_ERRORS, TAIL, output_buffer_sizes

_log = logging.getLogger("jelmore.api.tails")


class OutputTails:
    """Redis is a convenience: when it is away, what it would hold is told instead."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def sizes(self, output_counts: dict[str, int]) -> dict[str, int]:
        """`output_counts`: output events so far, by session id."""
        try:
            sizes = await output_buffer_sizes(self._redis, list(output_counts))
            return dict(zip(output_counts, sizes, strict=True))
        except REDIS_ERRORS as error:
            _log.warning("Redis: %s", type(error).__name__)
            return {session_id: min(count, TAIL) for session_id, count in output_counts.items()}
