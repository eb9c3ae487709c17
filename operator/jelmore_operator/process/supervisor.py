"""The local supervisor: observes every session, decides, applies. One loop for all; what it knows it can
observe again.

It may be killed at any moment: launchers and agents go on, and the next supervisor takes them over.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client

from jelmore_contract.subjects import SessionKey
from jelmore_operator.bus.connection import Address, Bus, connected, first
from jelmore_operator.bus.follower import Follower
from jelmore_operator.bus.log import FIGURES_EVERY, Log
from jelmore_operator.bus.telling import Teller
from jelmore_operator.controller import Controller
from jelmore_operator.process.runtime import kill_unrecorded_agents, left_behind
from jelmore_operator.process.sessions import ProcessSessions, Runtimes
from jelmore_operator.process.settings import SupervisorSettings
from jelmore_operator.process.store import Store
from jelmore_operator.queue import WorkQueue
from jelmore_operator.reconcile.plan import Plan

__all__ = ["Supervisor", "SupervisorSettings"]

logger = logging.getLogger(__name__)

_AFTER_LIMIT = 3.0  # seconds beyond the shutdown limit for the last events and status writes


class Supervisor:
    """`run` supervises until `stop`. One instance, once, in one event loop."""

    def __init__(self, settings: SupervisorSettings) -> None:
        self._settings = settings
        self._queue: WorkQueue[SessionKey] = WorkQueue()
        self._bus = Bus()
        self._store = Store(self._bus, self._queue.add)
        self._log = Log(self._bus, self._log_changed)
        self._followers: tuple[Follower, ...] = (self._store.follower, *self._log.followers)
        self._runtimes = Runtimes(settings, self._queue)
        self._stopping = asyncio.Event()
        self._unsettled: set[SessionKey] = set()
        self._settled = asyncio.Event()
        self._hurried = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Waits for the bus, the stream and the bucket where they are not there yet. Returns after `stop`."""
        address = Address(self._settings.bus, "jelmore supervisor")
        try:
            self._take_over()
            async with connected(address, self._stopping, self._reconnected) as client:
                if client is not None:
                    await self._supervise(client)
                await asyncio.gather(*(runtime.kill() for runtime in self._runtimes if runtime.busy))
        finally:
            self._queue.close()
            for runtime in self._runtimes:
                runtime.detach()
            self._ended.set()

    async def stop(self) -> None:
        """Hibernates all sessions, within the limit of the settings; what has not ended by then is killed."""
        self._stopping.set()
        await self._ended.wait()

    def hurry(self) -> None:
        """A `stop` that is under way, or comes later, waits for no clean end: processes are killed at once."""
        self._hurried.set()

    def _take_over(self) -> None:
        """Finds what an earlier supervisor has left running, also of sessions that are no more."""
        kill_unrecorded_agents(self._settings.home)
        for key in left_behind(self._settings.home):
            self._runtimes.of(key)
            self._queue.add(key)

    async def _reconnected(self) -> None:
        for follower in self._followers:
            follower.restart()

    async def _supervise(self, client: Client) -> None:
        self._bus.client = client
        sessions = ProcessSessions(self._settings, self._store, self._log, Teller(self._bus), self._runtimes)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(follower.run(client)) for follower in self._followers]
            running.append(tasks.create_task(self._work(sessions)))
            await self._stopping.wait()
            await self._hibernate_all(sessions)
            for task in running:
                task.cancel()

    async def _work(self, sessions: ProcessSessions) -> None:
        for follower in self._followers:
            await follower.synced.wait()
        await Controller(self._queue, sessions, self._passed).run()

    async def _hibernate_all(self, sessions: ProcessSessions) -> None:
        self._unsettled = {*self._store.keys(), *(runtime.key for runtime in self._runtimes)}
        if not self._unsettled or not all(follower.synced.is_set() for follower in self._followers):
            return
        limit = self._settings.shutdown_limit
        self._settle_by(sessions, limit)
        await first((self._settled, self._hurried), limit + _AFTER_LIMIT)
        if not self._settled.is_set():
            self._settle_by(sessions, 0)
            await first((self._settled,), _AFTER_LIMIT)
        if self._unsettled:
            logger.warning("sessions could not be hibernated in time", extra={"count": len(self._unsettled)})

    def _settle_by(self, sessions: ProcessSessions, limit: float) -> None:
        """All sessions are to be without processes in `limit` seconds."""
        sessions.shutdown_by = datetime.now(UTC) + timedelta(seconds=limit)
        for key in self._unsettled:
            self._queue.add(key)

    def _passed(self, key: SessionKey, plan: Plan | None) -> None:
        if key not in self._unsettled or self._runtimes.alive(key) or (plan is not None and plan.unfinished):
            return
        self._unsettled.discard(key)
        if not self._unsettled:
            self._settled.set()

    def _log_changed(self, key: SessionKey, soon: bool) -> None:
        if key in self._runtimes or self._store.get(key) is not None:
            self._queue.add_after(key, 0 if soon else FIGURES_EVERY)
