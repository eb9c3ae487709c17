"""The local supervisor: observes every session, decides, applies. One loop for all; what it knows it can
observe again.

It may be killed at any moment: launchers and agents go on, and the next supervisor takes them over.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.process.actuator import Actuator
from jelmore_operator.process.agent_config import credentials_problem, workspace_problem
from jelmore_operator.process.connection import connected, first
from jelmore_operator.process.follower import Follower
from jelmore_operator.process.log import Log
from jelmore_operator.process.queue import WorkQueue
from jelmore_operator.process.runtime import SessionRuntime, kill_unrecorded_agents, left_behind
from jelmore_operator.process.settings import SupervisorSettings
from jelmore_operator.process.store import Store
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import ForgetResource

__all__ = ["Supervisor", "SupervisorSettings"]

logger = logging.getLogger(__name__)

_WORKERS = 8
_FIGURES_EVERY = 1.0  # seconds between looks at a session whose report changed in figures only
_FIRST_RETRY = 0.2  # seconds after a pass that failed, doubled each time
_MOST_RETRY = 15.0
_AFTER_LIMIT = 3.0  # seconds beyond the shutdown limit for the last events and status writes


class Supervisor:
    """`run` supervises until `stop`. One instance, once, in one event loop."""

    def __init__(self, settings: SupervisorSettings) -> None:
        self._settings = settings
        self._queue: WorkQueue[SessionKey] = WorkQueue()
        self._store = Store(self._queue.add)
        self._log = Log(self._log_changed)
        self._followers: tuple[Follower, ...] = (self._store.follower, *self._log.followers)
        self._runtimes: dict[SessionKey, SessionRuntime] = {}
        self._failures: dict[SessionKey, int] = {}
        self._stopping = asyncio.Event()
        self._shutdown_by: datetime | None = None
        self._unsettled: set[SessionKey] = set()
        self._settled = asyncio.Event()
        self._hurried = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Waits for the bus, the stream and the bucket where they are not there yet. Returns after `stop`."""
        try:
            self._take_over()
            async with connected(self._settings, self._stopping, self._reconnected) as client:
                if client is not None:
                    await self._supervise(client)
                alive = [runtime for runtime in self._runtimes.values() if runtime.alive]
                await asyncio.gather(*(runtime.kill() for runtime in alive))
        finally:
            self._queue.close()
            for runtime in self._runtimes.values():
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
            self._runtime(key)
            self._queue.add(key)

    async def _reconnected(self) -> None:
        for follower in self._followers:
            follower.restart()

    async def _supervise(self, client: Client) -> None:
        actuator = Actuator(client, self._store, self._log)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(follower.run(client)) for follower in self._followers]
            running += [tasks.create_task(self._work(client, actuator)) for _ in range(_WORKERS)]
            await self._stopping.wait()
            await self._hibernate_all()
            for task in running:
                task.cancel()

    async def _hibernate_all(self) -> None:
        self._unsettled = {*self._store.keys(), *self._runtimes}
        if not self._unsettled or not all(follower.synced.is_set() for follower in self._followers):
            return
        limit = self._settings.shutdown_limit
        self._settle_by(limit)
        await first((self._settled, self._hurried), limit + _AFTER_LIMIT)
        if not self._settled.is_set():
            self._settle_by(0)
            await first((self._settled,), _AFTER_LIMIT)
        if self._unsettled:
            logger.warning("sessions could not be hibernated in time", extra={"count": len(self._unsettled)})

    def _settle_by(self, limit: float) -> None:
        """All sessions are to be without processes in `limit` seconds."""
        self._shutdown_by = datetime.now(UTC) + timedelta(seconds=limit)
        for key in self._unsettled:
            self._queue.add(key)

    async def _work(self, client: Client, actuator: Actuator) -> None:
        for follower in self._followers:
            await follower.synced.wait()
        while True:
            key = await self._queue.get()
            try:
                await self._pass(client, actuator, key)
                self._failures.pop(key, None)
            except Exception as error:
                # Whatever it is, it is this session's: the others go on, and this one is tried again.
                self._retry(key, error)
            finally:
                self._queue.done(key)

    def _retry(self, key: SessionKey, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(_FIRST_RETRY * 2.0 ** (failures - 1), _MOST_RETRY)
        what = {"session": key.session_id, "error": repr(error), "failures": failures}
        logger.warning("a pass failed, trying again", extra=what, exc_info=not isinstance(error, OSError))
        self._queue.add_after(key, delay)

    async def _pass(self, client: Client, actuator: Actuator, key: SessionKey) -> None:
        """Observe, decide, apply."""
        runtime = self._runtime(key)
        resource = self._store.get(key)
        if resource is None:
            await self._end_ghost(runtime)
            return
        observed = await self._observe(client, runtime, resource)
        plan = decide(observed, datetime.now(UTC))
        for action in plan.actions:
            await actuator.apply(action, resource, runtime)
        if any(isinstance(action, ForgetResource) for action in plan.actions):
            self._drop(key)
        elif plan.actions:
            self._queue.add(key)
        elif plan.requeue is not None:
            self._queue.add_after(key, plan.requeue)
        if self._shutdown_by is not None and not plan.actions and not runtime.alive:
            self._settle(key)

    async def _observe(self, client: Client, runtime: SessionRuntime, resource: ClaudeSession) -> Observed:
        seen = runtime.observe(resource)
        key = runtime.key
        return Observed(
            resource=resource,
            runtime=seen,
            # What an agent said last may be on its way still when its end is seen.
            report=self._log.report(key) if seen.agent else await self._log.read_report(client, key),
            last_input=self._log.last_input(key),
            shutdown_by=self._shutdown_by,
            workspace_problem=workspace_problem(resource),
            credentials_problem=credentials_problem(self._settings),
        )

    async def _end_ghost(self, runtime: SessionRuntime) -> None:
        """Processes of a session that is no more, without a deletion that was seen to its end. Its folder
        is left alone.
        """
        if runtime.alive:
            logger.warning("ending processes without a session", extra={"session": runtime.key.session_id})
            await runtime.kill()
        self._drop(runtime.key)

    def _drop(self, key: SessionKey) -> None:
        self._runtimes.pop(key, None)
        self._settle(key)

    def _settle(self, key: SessionKey) -> None:
        self._unsettled.discard(key)
        if not self._unsettled and self._shutdown_by is not None:
            self._settled.set()

    def _runtime(self, key: SessionKey) -> SessionRuntime:
        runtime = self._runtimes.get(key)
        if runtime is None:
            runtime = SessionRuntime(key, self._settings, lambda: self._queue.add(key))
            self._runtimes[key] = runtime
        return runtime

    def _log_changed(self, key: SessionKey, soon: bool) -> None:
        if key in self._runtimes or self._store.get(key) is not None:
            self._queue.add_after(key, 0 if soon else _FIGURES_EVERY)
