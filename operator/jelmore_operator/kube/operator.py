"""The operator of a cluster: sees sessions, pods and the log, and reconciles, as long as it holds the Lease."""

import asyncio
import logging
from collections.abc import Coroutine

from kubernetes_asyncio.client import ApiClient

from jelmore_contract.subjects import SessionKey
from jelmore_operator.bus.connection import Address, Bus, connected
from jelmore_operator.bus.log import FIGURES_EVERY, Log
from jelmore_operator.bus.telling import Teller
from jelmore_operator.controller import Controller
from jelmore_operator.kube.api import Api
from jelmore_operator.kube.intake import Intake
from jelmore_operator.kube.lease import Lease
from jelmore_operator.kube.metrics import Metrics, served
from jelmore_operator.kube.relist import Relist
from jelmore_operator.kube.sessions import PodSessions
from jelmore_operator.kube.settings import OperatorSettings
from jelmore_operator.kube.store import Store
from jelmore_operator.queue import WorkQueue

logger = logging.getLogger(__name__)


class Operator:
    """`run` until `stopping` is set. One instance, once, in one event loop."""

    def __init__(self, settings: OperatorSettings, client: ApiClient, holder: str) -> None:
        self._metrics = Metrics()
        api = Api(client, self._metrics.requested)
        self._settings = settings
        self._queue: WorkQueue[SessionKey] = WorkQueue()
        self._store = Store(self._queue.add)
        self._bus = Bus()
        self._log = Log(self._bus, self._log_changed)
        self._lease = Lease(api, settings.namespace, holder)
        self._relist = Relist(api, self._store, settings.namespaces)
        self._intake = Intake(self._store, settings.namespaces)
        sessions = PodSessions(api, settings, self._store, self._log, Teller(self._bus), self._queue)
        self._controller = Controller(self._queue, sessions, workers=settings.workers, counted=self._metrics.reconciled)
        self._metrics.look_at(self._queue, self._store)

    async def run(self, stopping: asyncio.Event) -> None:
        """Raises LeaseLost; errors of `nats` for credentials that the bus refuses; OSError for a port that is taken."""
        async with served(self._metrics, self._settings.metrics_port):
            try:
                await _until(stopping, self._lease.acquire())
                if not stopping.is_set():
                    self._metrics.leader.set(1)
                    await self._lead(stopping)
            finally:
                self._queue.close()
                await self._lease.release()

    async def _lead(self, stopping: asyncio.Event) -> None:
        """Until `stopping`, and what is in hand then is done: the Lease is kept so long."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._lease.keep()), tasks.create_task(self._follow_log(stopping))]
            await _until(stopping, self._relist.now(newest=True))
            if not stopping.is_set():
                logger.info("reconciling", extra={"sessions": len(self._store.known())})
                running.append(tasks.create_task(self._intake.run(self._relist.now)))
                running.append(tasks.create_task(self._relist.run()))
                tasks.create_task(self._controller.run())
                await stopping.wait()
                logger.info("stopping: what is in hand is finished first")
                await self._controller.finish()
            for task in running:
                task.cancel()

    async def _follow_log(self, stopping: asyncio.Event) -> None:
        """What does not need the bus goes on without one."""
        address = Address(self._settings.bus.access, "jelmore operator")
        async with connected(address, stopping, self._reconnected) as found:
            if found is None:
                return
            self._bus.client = found
            async with asyncio.TaskGroup() as tasks:
                for follower in self._log.followers:
                    tasks.create_task(follower.run(found))
                for follower in self._log.followers:
                    await follower.synced.wait()
                for key in self._store.known():
                    self._queue.add(key)

    async def _reconnected(self) -> None:
        for follower in self._log.followers:
            follower.restart()

    def _log_changed(self, key: SessionKey, soon: bool) -> None:
        if self._store.resource(key) is not None:
            self._queue.add_after(key, 0 if soon else FIGURES_EVERY)


async def _until(stopping: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Ends the work when `stopping` is set. Raises what the work does."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        working.cancel()
        await asyncio.wait((working,))
    if not working.cancelled() and (error := working.exception()) is not None:
        raise error
