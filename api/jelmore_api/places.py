"""Where sessions run: on one machine, or in a cluster. What the rest of the service needs to know of that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from jelmore_api.auth.access import Access, Admission
from jelmore_api.bus import Bus
from jelmore_api.resources.local import LocalStore
from jelmore_api.resources.store import ResourceStore
from jelmore_api.sessions.repository import SessionRepository
from jelmore_api.settings import Settings


class Place(NamedTuple):
    """admit: lets callers in. problem: what keeps the resources from being up to date. Both None on one machine."""

    store: ResourceStore
    admit: Admission | None = None
    problem: Callable[[], str | None] | None = None


@contextlib.asynccontextmanager
async def place_of(settings: Settings, bus: Bus, repository: SessionRepository) -> AsyncIterator[Place]:
    """Connected in the background: what is away now is waited for."""
    if settings.in_cluster:
        async with _cluster(settings, repository) as place:
            yield place
    else:
        yield Place(LocalStore(bus))


@contextlib.asynccontextmanager
async def _cluster(settings: Settings, repository: SessionRepository) -> AsyncIterator[Place]:
    # Imported here: the client of Kubernetes takes a second and 80 MiB, which one machine does without.
    from jelmore_api.auth.kubernetes import Reviews
    from jelmore_api.auth.kubernetes_access import KubernetesAccess, Namespaces
    from jelmore_api.cluster.client import Cluster
    from jelmore_api.resources.kube import KubeStore

    async with Cluster(settings.kubeconfig) as cluster:
        store, reviews = KubeStore(cluster, settings.namespaces), Reviews(cluster, settings.audience)
        namespaces = Namespaces(store, repository, settings.namespaces)

        async def admit(authorization: list[str]) -> Access:
            return KubernetesAccess(await reviews.caller(authorization), reviews, namespaces)

        watching = asyncio.create_task(store.watch(), name="watch claudesessions")
        try:
            yield Place(store, admit, lambda: store.problem)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
