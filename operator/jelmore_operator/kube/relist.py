"""A list of all, which replaces what the watches have told: at the start, after doubt, and now and then, since a watch
can miss a deletion without knowing.
"""

import asyncio
import logging

from jelmore_operator.kube.api import CLAIMS, PODS, POLICIES, SESSIONS, Api
from jelmore_operator.kube.names import SESSION_LABEL
from jelmore_operator.kube.store import Store

logger = logging.getLogger(__name__)

EVERY = 300.0  # seconds
_FIRST_RETRY = 0.5  # seconds after a list that failed, doubled each time
_MOST_RETRY = 30.0


class Relist:
    """`namespaces`: none for all."""

    def __init__(self, api: Api, store: Store, namespaces: tuple[str, ...]) -> None:
        self._api = api
        self._store = store
        self._scopes: tuple[str | None, ...] = namespaces or (None,)

    async def now(self, newest: bool = False) -> None:
        """Tries until it succeeds. newest: not from the server's cache, which can be behind."""
        delay = _FIRST_RETRY
        while True:
            try:
                await self._all(newest)
                return
            except OSError as error:
                what = "the cluster cannot be listed, trying again"
                if getattr(error, "status", None) == 404:
                    what = "the cluster does not know ClaudeSessions yet: apply crds/claudesessions.yaml"
                logger.warning(what, extra={"error": error})
                await asyncio.sleep(delay)
                delay = min(2 * delay, _MOST_RETRY)

    async def run(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(EVERY)
            await self.now()

    async def _all(self, newest: bool) -> None:
        for scope in self._scopes:
            for kind in (SESSIONS, PODS, CLAIMS, POLICIES):
                selector = "" if kind is SESSIONS else SESSION_LABEL
                listed = await self._api.list_all(kind, scope, selector, newest)
                self._store.kind(kind).replace(listed, scope)
