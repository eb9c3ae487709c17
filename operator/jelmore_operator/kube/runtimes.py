"""Pods, claims, Secrets and network policies of sessions: made and taken away. Never two pods of a session, and never
an object of a pod taken away before its processes are gone.
"""

import secrets
from datetime import UTC, datetime

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.bus.log import key_of
from jelmore_operator.controller import NotYet
from jelmore_operator.kube import manifests
from jelmore_operator.kube.api import CLAIMS, PODS, POLICIES, SECRETS, Api, ApiError, Document
from jelmore_operator.kube.egress import is_outdated, policy
from jelmore_operator.kube.names import MADE_OF, object_name
from jelmore_operator.kube.pods import (
    Record,
    has_ended,
    is_kept,
    is_of_session,
    is_ours,
    record_of,
    stopping_since,
)
from jelmore_operator.kube.settings import OperatorSettings
from jelmore_operator.kube.store import Store
from jelmore_operator.reconcile.observed import Obstacle, SeenReport

#: Seconds of grace for what is killed. None at all would take the object away before the processes are gone.
_AT_ONCE = 1
#: Seconds until what has to go is looked at again, should its end be missed.
_LOOK_AGAIN = 5.0
#: What the API server will say again, however soon it is asked: against a quota, a policy, a rule of the cluster.
_REFUSED = (403, 422)


class Runtimes:
    """Every change raises ApiError; NotYet while an earlier object has to go."""

    def __init__(self, api: Api, settings: OperatorSettings, store: Store) -> None:
        self._api = api
        self._settings = settings
        self._store = store
        # Of pods that are gone. What a restart of the operator forgets costs a longer back-off, nothing else.
        self._records: dict[SessionKey, Record] = {}
        self._refusals: dict[SessionKey, Obstacle] = {}
        # Nobody has begun a start of these.
        self._new: set[SessionKey] = set()

    def pod(self, resource: ClaudeSession) -> Document | None:
        """The session's own pod, as it was seen last."""
        pod = self._store.pod(resource)
        return pod if pod is not None and is_ours(pod, resource) else None

    def record(self, resource: ClaudeSession) -> Record:
        pod = self.pod(resource)
        if pod is not None:
            self._records[key_of(resource)] = record_of(pod)
        return self._records.get(key_of(resource), Record())

    def outdated(self, resource: ClaudeSession, pod: Document) -> bool:
        """Whether the pod would be made otherwise now."""
        now = manifests.pod(resource, self._settings.pods, Record())
        return bool(pod["metadata"].get("annotations", {}).get(MADE_OF) != now["metadata"]["annotations"][MADE_OF])

    def refusal(self, key: SessionKey) -> Obstacle | None:
        """Why the last start failed, where the cluster would not have it."""
        return self._refusals.get(key)

    def has_disk(self, resource: ClaudeSession) -> bool:
        """Whether the session's disk, with what was not published, is there for another pod."""
        if resource.spec.workspace.storage.ephemeral:
            return self.pod(resource) is not None
        claim = self._store.claim(resource)
        return claim is not None and "deletionTimestamp" not in claim["metadata"]

    def kept(self, resource: ClaudeSession) -> str | None:
        """What stays of the session when it is deleted, as a sentence."""
        claim = self._own_claim(resource) if resource.spec.workspace.retain else None
        return f"The claim {claim['metadata']['name']} is kept." if claim is not None else None

    async def keep_claim(self, resource: ClaudeSession) -> None:
        """Lets the claim outlive the resource, where that was asked for."""
        claim = self._own_claim(resource) if resource.spec.workspace.retain else None
        if claim is not None:
            self._store.claims.put(await self._api.patch(CLAIMS, manifests.kept_claim(claim)))

    def _own_claim(self, resource: ClaudeSession) -> Document | None:
        claim = self._store.claim(resource)
        ours = claim is not None and is_ours(claim, resource) and "deletionTimestamp" not in claim["metadata"]
        return claim if ours else None

    def add_new(self, key: SessionKey) -> None:
        """A session that no operator has done anything about: its first start finds nothing of its own."""
        self._new.add(key)

    def forget(self, key: SessionKey) -> None:
        self._new.discard(key)
        self._records.pop(key, None)
        self._refusals.pop(key, None)

    async def start(self, resource: ClaudeSession, last: SeenReport | None, fresh: bool) -> None:
        record = self.record(resource).started(last, fresh, datetime.now(UTC))
        key = key_of(resource)
        try:
            await self._clear_way(resource)
            await self._claim(resource)
            await self._api.apply(SECRETS, manifests.secret(resource, self._bus_access(key)))
            pod = await self._api.create(PODS, manifests.pod(resource, self._settings.pods, record))
        except ApiError as error:
            if error.status in _REFUSED:
                self._refusals[key] = _refusal(error)
            raise
        self._refusals.pop(key, None)
        self._store.pods.put(pod)

    def egress_outdated(self, resource: ClaudeSession) -> bool:
        """Whether the session's network policy is another than it should be."""
        return is_outdated(self._store.policy(resource), policy(resource, self._settings.pods.egress), resource)

    async def set_egress(self, resource: ClaudeSession) -> None:
        wanted, seen = policy(resource, self._settings.pods.egress), self._store.policy(resource)
        if seen is not None and (wanted is None or not is_ours(seen, resource)):
            await self._api.delete(POLICIES, seen)
            self._store.policies.remove(seen)
        if wanted is None:
            return
        try:
            self._store.policies.put(await self._api.apply(POLICIES, wanted))
        except ApiError as error:
            if error.status in _REFUSED:
                self._refusals[key_of(resource)] = _refusal(error)
            raise

    async def stop(self, resource: ClaudeSession) -> None:
        """The kubelet asks both containers to end, Claude's first."""
        pod = self.pod(resource)
        if pod is not None and stopping_since(pod) is None:
            await self._delete(pod)

    async def kill(self, resource: ClaudeSession) -> None:
        pod = self.pod(resource)
        if pod is None:
            return
        if pod["metadata"].get("deletionGracePeriodSeconds", _AT_ONCE + 1) > _AT_ONCE:
            await self._delete(pod, _AT_ONCE)
        else:
            raise NotYet("the pod was killed and is not gone", _LOOK_AGAIN)

    async def _clear_way(self, resource: ClaudeSession) -> None:
        """Raises NotYet until nothing has the pod's name. Asked of the API server, unless it is the very first start:
        the answer to an earlier one may have been lost, and a Secret must not change under a pod that lives.
        """
        key = key_of(resource)
        first = key in self._new and self._store.pod(resource) is None
        self._new.discard(key)
        if first:
            return
        name = object_name(resource.metadata.name)
        pod = await self._api.get(PODS, resource.metadata.namespace, name)
        if pod is None:
            known = self._store.pod(resource)
            if known is not None:
                self._store.pods.remove(known)
            return
        self._store.pods.put(pod)
        if not is_ours(pod, resource) and stopping_since(pod) is None:
            what = (
                f"The name of the session's pod, {name}, is another pod's: delete that, or name the session otherwise."
            )
            self._refusals[key] = Obstacle("other", "NameTaken", what)
        elif is_ours(pod, resource) and stopping_since(pod) is None and has_ended(pod):
            await self._delete(pod)
        raise NotYet("there is a pod still", _LOOK_AGAIN)

    async def _claim(self, resource: ClaudeSession) -> None:
        if resource.spec.workspace.storage.ephemeral:
            return
        claim = self._store.claim(resource)
        if claim is not None and "deletionTimestamp" in claim["metadata"]:
            raise NotYet("the last claim is still there", _LOOK_AGAIN)
        if claim is not None and is_kept(claim) and is_of_session(claim, resource):
            self._store.claims.put(await self._api.patch(CLAIMS, manifests.taken_claim(claim, resource)))
            return
        if claim is not None and is_kept(claim):
            name = claim["metadata"]["name"]
            what = (
                f"The claim {name} is kept from an earlier session of this name: `kubectl -n "
                f"{resource.metadata.namespace} delete pvc {name}` once nobody needs it, or name the session otherwise."
            )
            self._refusals[key_of(resource)] = Obstacle("workspace", "ClaimKept", what)
            raise NotYet("another session's claim has the name", _LOOK_AGAIN)
        if claim is None or not is_ours(claim, resource):
            self._store.claims.put(await self._api.apply(CLAIMS, manifests.claim(resource, self._settings.pods)))

    def _bus_access(self, key: SessionKey) -> manifests.BusAccess:
        bus = self._settings.bus
        credentials = bus.identity.session_credentials(key) if bus.identity else bus.shared
        return manifests.BusAccess(bus.session_url, credentials, secrets.token_hex(16), bus.session_tls)

    async def _delete(self, pod: Document, grace: int | None = None) -> None:
        left = await self._api.delete(PODS, pod, grace)
        if left is None or left.get("kind") != "Pod":
            self._store.pods.remove(pod)
        else:
            self._store.pods.put(left)


def _refusal(error: ApiError) -> Obstacle:
    what = f"The cluster refuses the session's objects ({error.reason}): {error.message.rstrip('.')}."
    if "exceeded quota" in error.message:
        advice = (
            "Raise the namespace's ResourceQuota, ask for less in spec.resources, or suspend or delete other sessions."
        )
        return Obstacle("other", "QuotaExceeded", f"{what} {advice} It is tried again by itself.")
    return Obstacle("other", "Refused", f"{what} Change what it names. It is tried again by itself.")
