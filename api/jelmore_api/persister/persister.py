"""The log into PostgreSQL, exactly once and in order.

There is nothing to acknowledge: the position lies in the rows' transaction, and reading starts behind it.
Whatever happens, the whole way begins again from there.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator

from nats.aio.client import Client

from jelmore_api.availability import Availability
from jelmore_api.database.connecting import database_trouble
from jelmore_api.persister.dead_letters import DeadLetters
from jelmore_api.persister.health import Health, describe
from jelmore_api.persister.redis_mirror import Mirror
from jelmore_api.persister.store import DATABASE_ERRORS, PositionMoved, Store
from jelmore_api.persister.stream import LogUnusable, StoredReport, prepare_log
from jelmore_api.persister.superseded import Superseded
from jelmore_api.stream.consumer import BUS_ERRORS, ConsumerLost
from jelmore_api.stream.reader import Reader
from jelmore_bus.trouble import bus_trouble
from jelmore_contract.trouble import Trouble

logger = logging.getLogger(__name__)

MOST_ENTRIES = 500  # a batch
GATHER = 0.05  # seconds until a batch is written that is not full
_IDLE = 5.0  # seconds without entries after which the database's connection is checked
_STANDBY = 1.0  # seconds between attempts to become the one that writes
_LEAST_PAUSE, _MOST_PAUSE = 0.1, 2.0  # seconds after an error


def _log_trouble(error: BaseException) -> Trouble:
    """Of what NATS holds, too, not of the connection alone."""
    return Trouble(describe(error)) if isinstance(error, LogUnusable | ConsumerLost) else bus_trouble(error)


_TROUBLES = {"postgres": database_trouble, "nats": _log_trouble}


class _Away(Exception):
    """Something that is needed is away; `health` says what."""


class Persister:
    """`client` may be one that is not connected (yet), if it reconnects by itself for ever."""

    def __init__(self, client: Client, database_url: str, mirror: Mirror | None = None) -> None:
        self._client = client
        self._database_url = database_url
        self._mirror = mirror
        self._superseded = Superseded(client)
        self.dead_letters = DeadLetters(client)
        self._states = {"postgres": Health(False, "not connected yet"), "nats": Health(False, "not connected yet")}
        self._pause = _LEAST_PAUSE
        self._availability = Availability("the mirror waits:", logger)
        #: Whether this replica's persister is the one that writes.
        self.active = False
        #: Messages that it has mirrored, and that the log held beyond them when it last looked.
        self.mirrored = self.pending = 0

    @property
    def health(self) -> dict[str, Health]:
        """By dependency: postgres, nats, redis (where there is one)."""
        states = dict(self._states)
        if not self._client.is_connected:
            states["nats"] = Health(False, "no connection to NATS")
        if self._mirror is not None:
            states["redis"] = self._mirror.health
        return states

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._mirror is not None:
                tasks.create_task(self._mirror.run(self._database_url))
            while True:
                await self._run_once()
                await asyncio.sleep(self._pause)
                self._pause = min(_MOST_PAUSE, 2 * self._pause)

    async def _run_once(self) -> None:
        try:
            async with self._store() as store:
                await self._persist(store)
        except _Away as away:
            self._availability.lost(str(away))
        except PositionMoved as error:
            logger.warning("mirroring starts again: %s", error)
        except Exception:
            # A defect must not end mirroring for good, nor hide.
            logger.exception("mirroring starts again")
        finally:
            self.active = False

    @contextlib.asynccontextmanager
    async def _store(self) -> AsyncIterator[Store]:
        with self._using("postgres", DATABASE_ERRORS):
            store = await Store.connect(self._database_url)
        try:
            yield store
        finally:
            await store.close()

    @contextlib.contextmanager
    def _using(self, dependency: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
        try:
            yield
        except errors as error:
            wrong = _TROUBLES[dependency](error).text
            self._states[dependency] = Health(False, wrong)
            raise _Away(f"{dependency} {wrong}") from error
        self._states[dependency] = Health(True)

    async def _persist(self, store: Store) -> None:
        with self._using("postgres", DATABASE_ERRORS):
            while not await store.lock():
                standby = Health(True, "another replica writes")
                self._states = {"postgres": standby, "nats": standby}
                await asyncio.sleep(_STANDBY)
            position = await store.position()

        async def reports() -> Iterable[StoredReport]:
            with self._using("postgres", DATABASE_ERRORS):
                return await store.reports()

        with self._using("nats", (*BUS_ERRORS, LogUnusable)):
            await prepare_log(self._client, position, reports)
            reader = Reader(self._client, "", position)
            await reader.open()
        try:
            self.active = True
            self._availability.found()
            self._pause = _LEAST_PAUSE
            while True:
                position = await self._next_batch(store, reader, position)
        finally:
            await reader.close()

    async def _next_batch(self, store: Store, reader: Reader, position: int) -> int:
        with self._using("nats", (ConsumerLost, *BUS_ERRORS)):
            entries = await reader.read(MOST_ENTRIES, GATHER, _IDLE)
        if not entries:
            with self._using("postgres", DATABASE_ERRORS):
                await store.check()
            return position
        with self._using("postgres", DATABASE_ERRORS):
            written = await store.write(position, entries)
        if self._mirror is not None:
            self._mirror.committed(position, entries[-1].seq, written)
        await self._superseded.committed(entries)
        await self.dead_letters.committed(letter for changes in written for letter in changes.dead_letters)
        self.mirrored += len(entries)
        self.pending = entries[-1].pending
        return entries[-1].seq
