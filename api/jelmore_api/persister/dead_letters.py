"""What stood on the log's subjects and is no message of the log: counted, and told on a subject of its own."""

import base64
import logging
from collections import Counter
from collections.abc import Iterable

from nats.aio.client import Client

from jelmore_api.persister import rows
from jelmore_api.stream.consumer import BUS_ERRORS
from jelmore_contract.dead_letters import MAX_TOLD_BYTES, DeadLetter, dead_subject
from jelmore_contract.events import encode_json
from jelmore_contract.subjects import STREAM_SUBJECTS

logger = logging.getLogger(__name__)

_CATEGORIES = frozenset(subject.split(".")[1] for subject in STREAM_SUBJECTS)


class DeadLetters:
    """Fed with what PostgreSQL has. Each is told at most once: the table has them all."""

    def __init__(self, client: Client) -> None:
        self._client = client
        #: How many there were since the process began, by category: event, command, blob or agent.
        self.counts: Counter[str] = Counter()

    async def committed(self, letters: Iterable[rows.DeadLetter]) -> None:
        """Never raises for a server that is away."""
        for letter in letters:
            category = _category(letter.subject)
            self.counts[category] += 1
            logger.warning("no message of the log, at %d: %s", letter.seq, letter.reason[:200])
            try:
                await self._client.publish(dead_subject(category), encode_json(_told(letter)))
            except BUS_ERRORS as error:
                logger.info("a dead letter was not told: %s", str(error) or type(error).__name__)


def _category(subject: str) -> str:
    """A word of our own, whatever the subject is: it becomes part of another one."""
    word = subject.split(".")[1] if "." in subject else ""
    return word if word in _CATEGORIES else "other"


def _told(letter: rows.DeadLetter) -> DeadLetter:
    data = base64.b64encode(letter.data[:MAX_TOLD_BYTES]).decode()
    return DeadLetter(letter.subject, letter.seq, letter.reason, len(letter.data), data)
