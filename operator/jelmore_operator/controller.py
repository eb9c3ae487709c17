"""The loop of whoever reconciles: observe, decide, apply. A session is with one worker at a time; what fails is tried
again, and holds no other session up.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import nats.errors
import nats.js.errors

from jelmore_contract.subjects import SessionKey
from jelmore_operator.jsonlog import logging_about
from jelmore_operator.queue import WorkQueue
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, ForgetResource, Plan

logger = logging.getLogger(__name__)

WORKERS = 8
_FINISH = 8.0  # seconds for passes in hand, where no new ones are to begin
_FIRST_RETRY = 0.2  # seconds after a pass that failed, doubled each time
_MOST_RETRY = 15.0
_LAST_TRY = 2.0  # seconds for an action that the plan does not insist on
#: What a server that is away, or refuses, raises.
REFUSALS = (OSError, nats.errors.Error, nats.js.errors.Error)


class NotYet(Exception):
    """Something must end before the plan can go on: seen when it changes, looked at again after `delay` seconds."""

    def __init__(self, what: str, delay: float) -> None:
        super().__init__(what)
        self.delay = delay


class Sessions(Protocol):
    """Where sessions run. What fails raises: the next pass sees how far it came."""

    async def observe(self, key: SessionKey) -> Observed | None:
        """None for a session that is no more, after what is left of it has ended."""

    async def apply(self, action: Action, observed: Observed) -> None:
        """Raises NotYet; one of REFUSALS."""


class Outcome(StrEnum):
    """Of one pass."""

    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"


def _uncounted(_outcome: Outcome, _seconds: float) -> None:
    pass


def _nothing(_key: SessionKey, _plan: Plan | None) -> None:
    pass


class Controller:
    """`after` is called at the end of each whole pass, with its plan; None for a session that is no more. `counted`: at
    the end of every pass, with the seconds that it took.
    """

    def __init__(
        self,
        queue: WorkQueue[SessionKey],
        sessions: Sessions,
        after: Callable[[SessionKey, Plan | None], None] = _nothing,
        *,
        workers: int = WORKERS,
        counted: Callable[[Outcome, float], None] = _uncounted,
    ) -> None:
        self._queue = queue
        self._sessions = sessions
        self._after = after
        self._most = workers
        self._counted = counted
        self._failures: dict[SessionKey, int] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None] | None] = set()
        self._finishing = False

    async def run(self) -> None:
        """Returns after `finish` only."""
        async with asyncio.TaskGroup() as tasks:
            self._workers = {tasks.create_task(self._work()) for _ in range(self._most)}

    async def finish(self) -> None:
        """No pass begins any more; returns when those in hand are done, or have had their time."""
        self._finishing = True
        for worker in self._workers - self._passing:
            worker.cancel()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=_FINISH)
            for worker in late:
                worker.cancel()

    async def _work(self) -> None:
        while not self._finishing:
            key = await self._queue.get()
            self._passing.add(asyncio.current_task())
            began = time.monotonic()
            try:
                with logging_about(session=key.session_id, namespace=key.namespace):
                    self._counted(await self._pass_or_again(key), time.monotonic() - began)
            finally:
                self._passing.discard(asyncio.current_task())
                self._queue.done(key)

    async def _pass_or_again(self, key: SessionKey) -> Outcome:
        try:
            await self._pass(key)
        except NotYet as reason:
            logger.debug("not yet: %s", reason)
            self._failures.pop(key, None)
            self._queue.add_after(key, reason.delay)
            return Outcome.WAITING
        except Exception as error:
            # Whatever it is, it is this session's: the others go on, and this one is tried again.
            self._retry(key, error)
            return Outcome.FAILED
        self._failures.pop(key, None)
        return Outcome.DONE

    def _retry(self, key: SessionKey, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(_FIRST_RETRY * 2.0 ** (failures - 1), _MOST_RETRY)
        what = {"error": error, "failures": failures, "again_in": delay}
        logger.warning("a pass failed, trying again", extra=what, exc_info=not isinstance(error, REFUSALS))
        self._queue.add_after(key, delay)

    async def _pass(self, key: SessionKey) -> None:
        observed = await self._sessions.observe(key)
        if observed is None:
            self._after(key, None)
            return
        plan = decide(observed, datetime.now(UTC))
        if plan.requeue is not None:
            # Before anything is done: a deadline stands, whatever fails on the way.
            self._queue.add_after(key, plan.requeue)
        for action in plan.actions:
            with logging_about(action=type(action).__name__):
                await self._apply(action, observed, plan.insist)
        if plan.unfinished:
            self._queue.add(key)
        self._after(key, plan)

    async def _apply(self, action: Action, observed: Observed, insist: bool) -> None:
        if insist or isinstance(action, ForgetResource):
            await self._sessions.apply(action, observed)
            return
        try:
            async with asyncio.timeout(_LAST_TRY):
                await self._sessions.apply(action, observed)
        except (NotYet, *REFUSALS) as error:
            logger.warning("could not be done, going on without", extra={"error": error})
