"""Sessions as pods: what is seen of each, and plans carried out.

The operator may be killed between any two calls: each is such that the next pass, of whichever operator, goes on from
what it finds.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.bus.log import Log, key_of
from jelmore_operator.bus.telling import Teller
from jelmore_operator.controller import NotYet
from jelmore_operator.kube import events
from jelmore_operator.kube.api import Api, Document
from jelmore_operator.kube.manifests import credentials_of
from jelmore_operator.kube.names import object_name
from jelmore_operator.kube.obstacles import Found, Place, find_obstacle, find_unending, is_cloning
from jelmore_operator.kube.pods import Hindered, has_ended, runtime_of, stopping_since
from jelmore_operator.kube.resources import Resources
from jelmore_operator.kube.runtimes import Runtimes
from jelmore_operator.kube.settings import OperatorSettings
from jelmore_operator.kube.store import Store
from jelmore_operator.queue import WorkQueue
from jelmore_operator.reconcile.egress import egress_problem
from jelmore_operator.reconcile.observed import Clone, Observed, Runtime, SeenConfigure
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

_NO_BUS = 5.0  # seconds between looks at a session while the log was not read yet


class PodSessions:
    """`controller.Sessions`."""

    def __init__(
        self, api: Api, settings: OperatorSettings, store: Store, log: Log, teller: Teller, queue: WorkQueue[SessionKey]
    ) -> None:
        self._api = api
        self._settings = settings
        self._store = store
        self._log = log
        self._teller = teller
        self._queue = queue
        self._resources = Resources(api, store)
        self._runtimes = Runtimes(api, settings, store)

    async def observe(self, key: SessionKey) -> Observed | None:
        resource = self._store.resource(key)
        if resource is None or self._resources.let_go(resource):
            # What it owned goes with it: the cluster's garbage collector sees to that.
            self._drop(key)
            return None
        if not self._log.synced and resource.metadata.deletion_timestamp is None:
            raise NotYet("the log was not read yet", _NO_BUS)
        await self._turn_away(resource)
        runtime = self._runtime(resource)
        pod = self._runtimes.pod(resource)
        report = await self._log.report_now(resource, runtime.agent or self._never_ran(resource))
        return Observed(
            resource=resource,
            runtime=replace(runtime, spooled=report is not None and self._runtimes.has_disk(resource)),
            report=report,
            last_input=self._log.last_input(key),
            last_configure=self._log.last_configure(key),
            clone=Clone(running=True) if pod is not None and is_cloning(pod) else None,
            egress_problem=egress_problem(resource.spec.egress, self._settings.pods.egress),
            egress_outdated=self._runtimes.egress_outdated(resource),
            kept=self._runtimes.kept(resource),
            durable=not resource.spec.workspace.storage.ephemeral,
            own_identity=self._settings.bus.identity is not None,
            announced=self._teller.announced(key),
            told=await self._teller.told(resource),
        )

    def _never_ran(self, resource: ClaudeSession) -> bool:
        """Another resource may have had the id that a spec brings along."""
        return self._resources.is_new(resource) and resource.spec.session_id is None

    async def _turn_away(self, resource: ClaudeSession) -> None:
        """Others that want this session's id are told so; they come to it once this one is gone."""
        key = key_of(resource)
        what = f"The id {key.session_id} is ClaudeSession {resource.metadata.name}'s: delete that, or name another id."
        for other in self._store.turned_away(key):
            if other.status.message != what:
                await self._resources.write_status(other, other.status.model_copy(update={"message": what}))

    def _runtime(self, resource: ClaudeSession) -> Runtime:
        key = key_of(resource)
        pod = self._runtimes.pod(resource)
        found = self._obstacle(resource, pod)
        if found.look_again is not None:
            self._queue.add_after(key, found.look_again)
        outdated = pod is not None and found.obstacle is not None and self._runtimes.outdated(resource, pod)
        return runtime_of(resource, pod, self._runtimes.record(resource), Hindered(found.obstacle, outdated))

    def _obstacle(self, resource: ClaudeSession, pod: Document | None) -> Found:
        if pod is None:
            return Found(self._runtimes.refusal(key_of(resource)))
        if has_ended(pod):
            return Found()
        metadata = resource.metadata
        credentials = credentials_of(resource, self._settings.pods)
        place = Place(metadata.namespace, object_name(metadata.name), credentials)
        if (since := stopping_since(pod)) is not None:
            return find_unending(pod, since, place, datetime.now(UTC))
        return find_obstacle(pod, self._store.claim(resource), place, datetime.now(UTC))

    async def apply(self, action: Action, observed: Observed) -> None:
        """Raises ApiError, errors of `nats`; NotYet while an earlier pod has to end."""
        resource = observed.resource
        key = key_of(resource)
        if resource.metadata.deletion_timestamp is None and await self._resources.hold(resource):
            self._runtimes.add_new(key)
        match action:
            case PublishCreated() | PublishSpecChanged() | PublishState() | PublishTerminated():
                await self._teller.tell(resource, action)
            case WriteStatus(status=status):
                await self._resources.write_status(resource, status)
            case Interrupt():
                await self._teller.interrupt(key)
            case Configure(live=live):
                last = observed.last_configure.seq if observed.last_configure else 0
                self._log.keep_configure(key, SeenConfigure(await self._teller.configure(key, live, last), live))
            case SetEgress():
                await self._runtimes.set_egress(resource)
            case DeleteResource():
                await self._resources.delete(resource)
            case CloseCommands():
                await self._teller.delete_consumer(key)
            case ForgetResource():
                await self._runtimes.keep_claim(resource)
                await self._resources.release(resource)
                self._drop(key)
            case _:
                logger.info("doing: %r", action)
                await self._change_runtime(action, observed)
        if (happened := events.event_of(observed, action)) is not None:
            await events.post(self._api, resource, happened)

    async def _change_runtime(
        self, action: StartRuntime | RestartAgent | CloneWorkspace | StopRuntime | KillRuntime, observed: Observed
    ) -> None:
        resource = observed.resource
        match action:
            case StartRuntime(fresh=fresh):
                await self._teller.add_consumer(key_of(resource))
                await self._runtimes.start(resource, observed.report, fresh)
            case StopRuntime():
                await self._runtimes.stop(resource)
            case KillRuntime():
                await self._runtimes.kill(resource)
            case RestartAgent():
                raise AssertionError("a pod's agent is started again by its parent in the pod")
            case CloneWorkspace():
                raise AssertionError("a pod clones its workspace by itself")

    def _drop(self, key: SessionKey) -> None:
        self._runtimes.forget(key)
        self._log.forget(key)
        self._teller.forget(key)
