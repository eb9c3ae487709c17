"""Takes out of the log the reports that newer ones have replaced.

Only a session's last report means anything. The stream cannot drop the others by itself: allowing `Nats-Rollup` would
let any session purge the whole log (`Nats-Rollup: all`), and a limit by subject would hold for events too.
"""

import logging
from collections.abc import Iterable

from nats.aio.client import Client

from jelmore_api.stream.consumer import BUS_ERRORS, Entry
from jelmore_contract.subjects import STREAM

logger = logging.getLogger(__name__)

#: Reports of one session that may gather until they are purged, which costs a request.
MOST_GATHERED = 64
_PREFIX = "jelmore.agent."


class Superseded:
    """Fed with what PostgreSQL has. What a restart forgets is purged with the session's next reports."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._gathered: dict[str, int] = {}

    async def committed(self, entries: Iterable[Entry]) -> None:
        """Purges the older reports of sessions that have gathered too many. An error leaves them for the next time."""
        due: dict[str, int] = {}
        for entry in entries:
            if entry.subject.startswith(_PREFIX):
                count = self._gathered[entry.subject] = self._gathered.get(entry.subject, 0) + 1
                if count >= MOST_GATHERED:
                    due[entry.subject] = entry.seq
        for subject, last in due.items():
            try:
                await self._client.jetstream().purge_stream(STREAM, seq=last, subject=subject)
            except BUS_ERRORS as error:
                logger.info("old reports stay for now: %s", str(error) or type(error).__name__)
            else:
                del self._gathered[subject]
