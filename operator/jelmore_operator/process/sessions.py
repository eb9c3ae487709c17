"""Sessions as processes of this machine: what is seen of each, and plans carried out."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.bus.log import Log, key_of
from jelmore_operator.bus.telling import Teller
from jelmore_operator.process.runtime import SessionRuntime
from jelmore_operator.process.session_files import credentials_problem, kept_workspace, workspace_problem
from jelmore_operator.process.settings import SupervisorSettings
from jelmore_operator.process.store import Store
from jelmore_operator.queue import WorkQueue
from jelmore_operator.reconcile.observed import Observed, SeenConfigure
from jelmore_operator.reconcile.plan import (
    Action,
    CloneWorkspace,
    CloseCommands,
    Configure,
    DeleteResource,
    ForgetResource,
    Interrupt,
    KillRuntime,
    PublishCreated,
    PublishSpecChanged,
    PublishState,
    PublishTerminated,
    RestartAgent,
    SetEgress,
    StartRuntime,
    StopRuntime,
    WriteStatus,
)

logger = logging.getLogger(__name__)


class Runtimes:
    """The processes of every session that was looked at."""

    def __init__(self, settings: SupervisorSettings, queue: WorkQueue[SessionKey]) -> None:
        self._settings = settings
        self._queue = queue
        self._known: dict[SessionKey, SessionRuntime] = {}

    def __contains__(self, key: SessionKey) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[SessionRuntime]:
        return iter(list(self._known.values()))

    def of(self, key: SessionKey) -> SessionRuntime:
        runtime = self._known.get(key)
        if runtime is None:
            runtime = self._known[key] = SessionRuntime(key, self._settings, lambda: self._queue.add(key))
        return runtime

    def alive(self, key: SessionKey) -> bool:
        return key in self._known and self._known[key].alive

    def drop(self, key: SessionKey) -> None:
        self._known.pop(key, None)


class ProcessSessions:
    """`controller.Sessions`. shutdown_by: all sessions are to be without processes by then."""

    def __init__(
        self, settings: SupervisorSettings, store: Store, log: Log, teller: Teller, runtimes: Runtimes
    ) -> None:
        self._settings = settings
        self._teller = teller
        self._store = store
        self._log = log
        self._runtimes = runtimes
        self.shutdown_by: datetime | None = None

    async def observe(self, key: SessionKey) -> Observed | None:
        runtime = self._runtimes.of(key)
        resource = self._store.get(key)
        if resource is None:
            await self._end_ghost(runtime)
            return None
        seen = runtime.observe(resource)
        last_input = self._log.last_input(key)
        kept = kept_workspace(resource, runtime.folder)
        return Observed(
            resource=resource,
            runtime=seen,
            report=await self._log.report_now(resource, seen.agent),
            last_input=last_input,
            last_configure=self._log.last_configure(key),
            shutdown_by=self.shutdown_by,
            workspace_problem=workspace_problem(resource),
            clone=runtime.cloning.observe(resource, last_input),
            credentials_problem=credentials_problem(self._settings),
            kept=f"The workspace is kept: {kept}." if kept is not None else None,
            own_identity=self._settings.identity is not None,
            announced=self._teller.announced(key),
            told=await self._teller.told(resource),
        )

    async def _end_ghost(self, runtime: SessionRuntime) -> None:
        """Processes of a session that is no more, without a deletion that was seen to its end. Its folder
        is left alone.
        """
        if runtime.busy:
            logger.warning("ending processes without a session")
            await runtime.kill()
        self._runtimes.drop(runtime.key)

    async def apply(self, action: Action, observed: Observed) -> None:
        """Raises OSError for what the machine refuses, errors of `nats` for what the bus does."""
        resource = observed.resource
        key = key_of(resource)
        match action:
            case PublishCreated() | PublishSpecChanged() | PublishState() | PublishTerminated():
                await self._teller.tell(resource, action)
            case WriteStatus(status=status):
                await self._store.write_status(key, status)
            case Interrupt():
                await self._teller.interrupt(key)
            case Configure(live=live):
                last = observed.last_configure.seq if observed.last_configure else 0
                self._log.keep_configure(key, SeenConfigure(await self._teller.configure(key, live, last), live))
            case DeleteResource():
                await self._store.delete(key)
            case CloseCommands():
                await self._teller.delete_consumer(key)
            case ForgetResource():
                await self._forget(resource)
            case SetEgress():
                raise AssertionError("processes reach what their machine does")
            case _:
                logger.info("doing: %r", action)
                await self._change_runtime(action, resource)

    async def _change_runtime(
        self, action: StartRuntime | RestartAgent | CloneWorkspace | StopRuntime | KillRuntime, resource: ClaudeSession
    ) -> None:
        now = datetime.now(UTC)
        runtime = self._runtimes.of(key_of(resource))
        match action:
            case StartRuntime(fresh=fresh):
                await self._teller.add_consumer(runtime.key)
                await runtime.start(resource, self._log.report(runtime.key), fresh, now)
            case RestartAgent(crashed=crashed):
                await self._teller.add_consumer(runtime.key)
                await runtime.restart_agent(resource, crashed, now)
            case CloneWorkspace(fresh=fresh):
                await runtime.clone(resource, self._log.last_input(runtime.key), fresh, now)
            case StopRuntime():
                runtime.stop(now)
            case KillRuntime():
                await runtime.kill()

    async def _forget(self, resource: ClaudeSession) -> None:
        runtime = self._runtimes.of(key_of(resource))
        await runtime.kill()
        runtime.remove(resource)
        await self._store.forget(runtime.key)
        self._log.forget(runtime.key)
        self._teller.forget(runtime.key)
        self._runtimes.drop(runtime.key)
