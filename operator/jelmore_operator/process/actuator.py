"""Carries one plan out, action by action, in order. What fails raises: the next pass sees how far it came."""

import logging
from datetime import UTC, datetime

from nats.aio.client import Client

from jelmore_contract.resource import ClaudeSession
from jelmore_operator.process.log import Log, key_of
from jelmore_operator.process.runtime import SessionRuntime
from jelmore_operator.process.store import Store
from jelmore_operator.reconcile.plan import (
    Action,
    ForgetResource,
    KillRuntime,
    PublishCreated,
    PublishState,
    PublishTerminated,
    RestartAgent,
    StartRuntime,
    StopRuntime,
    WriteStatus,
)

logger = logging.getLogger(__name__)


class Actuator:
    def __init__(self, client: Client, store: Store, log: Log) -> None:
        self._client = client
        self._store = store
        self._log = log

    async def apply(self, action: Action, resource: ClaudeSession, runtime: SessionRuntime) -> None:
        """Raises OSError for what the machine refuses, errors of `nats` for what the bus does."""
        key = key_of(resource)
        match action:
            case PublishCreated():
                await self._log.created(self._client, resource)
            case PublishState(to=to, message=message):
                await self._log.state_changed(self._client, resource, to, message)
            case PublishTerminated(reason=reason):
                await self._log.terminated(self._client, resource, reason)
            case WriteStatus(status=status):
                await self._store.write_status(self._client, key, status)
            case ForgetResource():
                await self._forget(resource, runtime)
            case _:
                logger.info(type(action).__name__, extra={"session": key.session_id, "action": repr(action)})
                await self._change_runtime(action, resource, runtime)

    async def _change_runtime(
        self,
        action: StartRuntime | RestartAgent | StopRuntime | KillRuntime,
        resource: ClaudeSession,
        runtime: SessionRuntime,
    ) -> None:
        now = datetime.now(UTC)
        match action:
            case StartRuntime(fresh=fresh):
                await self._log.add_consumer(self._client, runtime.key)
                await runtime.start(resource, self._log.report(runtime.key), fresh, now)
            case RestartAgent(crashed=crashed):
                await self._log.add_consumer(self._client, runtime.key)
                await runtime.restart_agent(resource, crashed, now)
            case StopRuntime():
                runtime.stop(now)
            case KillRuntime():
                await runtime.kill()

    async def _forget(self, resource: ClaudeSession, runtime: SessionRuntime) -> None:
        await runtime.kill()
        await self._log.delete_consumer(self._client, runtime.key)
        runtime.remove(resource)
        await self._store.forget(self._client, runtime.key)
        self._log.forget(runtime.key)
