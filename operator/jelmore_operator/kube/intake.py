"""What happens in the cluster, watched by kopf: every change of a session, or of a pod, a claim or a network policy of
one, into the store.

kopf runs in a thread of its own: it ends all tasks of its event loop when it ends, and it ends when a watch is refused.
Then it is started again, and a list of all makes up for what was missed.
"""

import asyncio
import functools
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

import kopf
import uvloop
from kopf._core.engines.peering import Identity  # kopf does not export the type of its own argument

from jelmore_operator.kube.api import CLAIMS, PODS, POLICIES, SESSIONS, Document, Kind
from jelmore_operator.kube.names import SESSION_LABEL
from jelmore_operator.kube.store import Store

logger = logging.getLogger(__name__)

_WATCHED = {
    SESSIONS: ("jelmore.dev", "v1alpha1", "claudesessions"),
    PODS: ("", "v1", "pods"),
    CLAIMS: ("", "v1", "persistentvolumeclaims"),
    POLICIES: ("networking.k8s.io", "v1", "networkpolicies"),
}
_TIMEOUT = 10.0  # seconds of any other request
#: Seconds between tries of a server that is away or busy. As good as without end: kopf would end with the last of them,
#: and its end can take as long as its longest watch.
_BACKOFFS = (0.5, 1, 2, *[4] * 10_000)
# kopf would otherwise ask for the name of the user, who has none in a pod.
_IDENTITY = Identity("jelmore-operator")
_SERVER_TIMEOUT = 300  # seconds of one watch; then it goes on from where it was
_FIRST_RETRY = 0.5  # seconds until kopf is started again, doubled each time
_MOST_RETRY = 30.0
_SETTLED = 1.0  # seconds from the first object of kopf's own list to a list of ours


class Intake:
    """`namespaces`: none for all."""

    def __init__(self, store: Store, namespaces: tuple[str, ...]) -> None:
        self._store = store
        self._namespaces = namespaces
        self._listed = asyncio.Event()

    async def run(self, relist: Callable[[], Awaitable[None]]) -> None:
        """Never returns. `relist` is called before kopf is started again, and after kopf has listed anew because its
        place in a watch was forgotten (410): that list does not say what went in between.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_on(relist))
            tasks.create_task(self._list_too(relist))

    async def _list_too(self, relist: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._listed.wait()
            await asyncio.sleep(_SETTLED)
            self._listed.clear()
            await relist()

    async def _watch_on(self, relist: Callable[[], Awaitable[None]]) -> None:
        delay = _FIRST_RETRY
        while True:
            started = asyncio.get_running_loop().time()
            await self._watch()
            logger.warning("watching begins anew")
            if asyncio.get_running_loop().time() - started > _MOST_RETRY:
                delay = _FIRST_RETRY
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MOST_RETRY)
            await relist()

    async def _watch(self) -> None:
        """Until kopf begins to end, which it does only when something is wrong."""
        stop, ending = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def deliver(kind: Kind, change: str | None, document: Document) -> None:
            if not stop.is_set():
                loop.call_soon_threadsafe(self._take, kind, change, document)

        def end() -> None:
            if not stop.is_set():
                loop.call_soon_threadsafe(ending.set)

        # A daemon, which nobody waits for: one watch that is refused makes kopf end, and it can hang in that for ever.
        serve = functools.partial(_serve, deliver, self._namespaces, stop, end)
        threading.Thread(target=serve, name="kopf", daemon=True).start()
        try:
            await ending.wait()
        finally:
            stop.set()

    def _take(self, kind: Kind, change: str | None, document: Document) -> None:
        seen = self._store.kind(kind)
        if change is None:
            self._listed.set()
        if change == "DELETED":
            seen.remove(document)
        else:
            seen.put(document)


def _serve(
    deliver: Callable[[Kind, str | None, Document], None],
    namespaces: tuple[str, ...],
    stop: threading.Event,
    end: Callable[[], None],
) -> None:
    """kopf, in this thread, until `stop` or an error; `end` is called as soon as it begins to end. It writes nothing:
    no finalizer, annotation, Event or peering.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.request_timeout = _TIMEOUT
    settings.networking.error_backoffs = _BACKOFFS
    settings.watching.server_timeout = _SERVER_TIMEOUT
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    for kind, selector in _WATCHED.items():
        kopf.on.event(*selector, registry=registry)(_handler(kind, deliver))
        if kind is not SESSIONS:
            settings.watching.label_selectors[selector] = SESSION_LABEL

    @kopf.on.cleanup(registry=registry)
    async def begins_to_end(**_: Any) -> None:
        end()

    asked = False

    async def watch() -> None:
        nonlocal asked
        try:
            await kopf.operator(
                registry=registry,
                settings=settings,
                identity=_IDENTITY,
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=stop,
            )
        finally:
            asked = stop.is_set()
            end()
            stop.set()  # a thread of kopf's waits for it, and the event loop for that thread

    try:
        uvloop.run(watch())
    except Exception as error:
        if not asked:  # the process may be about to end, where the last of it fails: no thread can be made any more
            logger.warning("watching failed", extra={"error": error})


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf copies each object whole, and compares it with an older one, for kinds of handlers that we do not have: it
    was most of what an event costs.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


class _NoProgress(kopf.ProgressStorage):
    """Nor is there any progress of such handlers."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Lenient(kopf.ConnectionInfo):
    """Takes certificates of authorities that say less than RFC 5280 asks for: those of many clusters do, and Python
    3.13 refuses them otherwise. Chain and name are checked as ever.
    """

    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


async def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    found = await kopf.login_via_async_client(**arguments)
    return None if found is None else _Lenient(**{each.name: getattr(found, each.name) for each in fields(found)})


def _handler(kind: Kind, deliver: Callable[[Kind, str | None, Document], None]) -> Callable[..., Awaitable[None]]:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        deliver(kind, event["type"], dict(event["object"]))

    return handle
