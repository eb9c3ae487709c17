"""What a caller may do with sessions of a cluster, by Kubernetes' own rules."""

import asyncio
from collections.abc import Collection, Sequence

from jelmore_api.auth.kubernetes import Attempt, Caller, Reviews
from jelmore_api.auth.rules import Verb
from jelmore_api.errors import Problem, no_session
from jelmore_api.resources.kube import KubeStore
from jelmore_api.sessions.repository import SessionRepository
from jelmore_contract.errors import ProblemType
from jelmore_contract.resource import SessionSpec

_GROUP, _SESSIONS = "jelmore.dev", "claudesessions"
#: Seconds that a session which another replica has just made may be on its way here.
_LAG = 0.5
#: Reviews at once for one list.
_AT_ONCE = 16


class Namespaces:
    """Which namespaces sessions are in, those that are over included."""

    def __init__(self, store: KubeStore, repository: SessionRepository, served: Sequence[str]) -> None:
        self._store = store
        self._repository = repository
        self._served = served

    async def of_session(self, session_id: str) -> set[str]:
        """Where its resource is and where its log comes from: not the same, where a resource claims another's id."""
        found = await self._found(session_id)
        if not found and await self._store.appears(session_id, _LAG):
            found = await self._found(session_id)
        return found

    async def _found(self, session_id: str) -> set[str]:
        stored = await self._store.get(session_id)
        found = {stored.resource.metadata.namespace} if stored is not None else set()
        try:
            logged = await self._repository.namespace(session_id)
        except Problem:
            if not found:
                raise
            # Without PostgreSQL only the stream is read, and that by namespace.
            logged = None
        return found | ({logged} if logged is not None else set())

    async def all(self) -> set[str]:
        if self._served:
            return set(self._served)
        live = {stored.resource.metadata.namespace for stored in await self._store.all()}
        try:
            return live | await self._repository.namespaces()
        except Problem:
            return live


class KubernetesAccess:
    """A cluster: Kubernetes says what the caller may do."""

    def __init__(self, caller: Caller, reviews: Reviews, namespaces: Namespaces) -> None:
        self._caller = caller
        self._reviews = reviews
        self._namespaces = namespaces

    async def check_session(self, session_id: str, verb: Verb) -> None:
        namespaces = await self._namespaces.of_session(session_id)
        denied = [namespace for namespace in sorted(namespaces) if not await self._may(verb, namespace)]
        visible = [await self._may(Verb.GET, namespace) for namespace in denied]
        if not namespaces or not all(visible):
            raise no_session(session_id)
        if denied:
            raise _forbidden(self._caller, _session_attempt(verb, denied[0]))

    async def check_create(self, namespace: str, spec: SessionSpec) -> None:
        await self._check(_session_attempt(Verb.CREATE, namespace))
        await self.check_secrets(namespace, spec)

    async def check_secrets(self, namespace: str, spec: SessionSpec) -> None:
        # Whoever has a pod use a Secret can read it: the pod gets it whatever its maker may read.
        for name in spec.secret_names():
            await self._check(Attempt("get", "", "secrets", namespace, name))

    async def listable(self, namespace: str | None) -> Collection[str] | None:
        if namespace is not None:
            await self._check(_session_attempt(Verb.LIST, namespace))
            return (namespace,)
        if await self._may(Verb.LIST, ""):
            return None
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def may(namespace: str) -> bool:
            async with at_once:
                return await self._may(Verb.LIST, namespace)

        candidates = sorted(await self._namespaces.all())
        answers = await asyncio.gather(*map(may, candidates))
        return [namespace for namespace, yes in zip(candidates, answers, strict=True) if yes]

    async def _check(self, attempt: Attempt) -> None:
        if not await self._reviews.allows(self._caller, attempt):
            raise _forbidden(self._caller, attempt)

    async def _may(self, verb: Verb, namespace: str) -> bool:
        return await self._reviews.allows(self._caller, _session_attempt(verb, namespace))


def _session_attempt(verb: Verb, namespace: str) -> Attempt:
    return Attempt(verb, _GROUP, _SESSIONS, namespace)


def _forbidden(caller: Caller, attempt: Attempt) -> Problem:
    resource = f"{attempt.resource}.{attempt.group}" if attempt.group else attempt.resource
    what = f"{resource} {attempt.name}" if attempt.name else resource
    return Problem(
        ProblemType.FORBIDDEN,
        f"{caller.username} may not {attempt.verb} {what} in namespace {attempt.namespace}: "
        "ask whoever administers it for a Role and a RoleBinding that allow it.",
    )
