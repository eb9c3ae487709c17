"""One list and watch: it brings what the cluster has into a cache and keeps it there, whatever happens in between."""

import asyncio
import contextlib
import json
import logging
import random
from typing import Any

from jelmore_api.cluster.answers import NAME, Refused
from jelmore_api.cluster.client import AWAY, Cluster, Query
from jelmore_api.errors import Problem
from jelmore_api.resources.kube_cache import SessionCache, version

GROUP_VERSION = "jelmore.dev/v1alpha1"
PLURAL = "claudesessions"

_PAGE = 500  # objects of a list's page
#: Seconds: that the server lets a watch run; without a word, of a server that sends a bookmark each minute.
_WATCH, _SILENCE = 300, 100.0
#: Seconds until it is tried again: at first, at most. A watch that lasted less than the first is a failure too.
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_log = logging.getLogger("jelmore.api.resources")


class _Expired(Exception):
    """The server has forgotten what came after the position (410): list again."""


def sessions_path(namespace: str | None, name: str = "") -> str:
    """Where the API server has ClaudeSessions: those of a namespace, of all (None), or the one of a name."""
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP_VERSION}{within}/{PLURAL}" + (f"/{name}" if name else "")


class Watcher:
    """Of one namespace, or of all (None). problem: what keeps the cache from being up to date, for a person."""

    def __init__(self, cluster: Cluster, namespace: str | None, cache: SessionCache) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._cache = cache
        self._position: str | None = None
        self.problem: str | None = "not listed yet"

    async def run(self) -> None:
        """For ever."""
        wait = _FIRST_WAIT
        while True:
            started = asyncio.get_running_loop().time()
            asked: float = 0
            try:
                if self._position is None:
                    await self._list()
                await self._watch()
            except _Expired:
                _log.info("what came after the last event is forgotten, listing again")
                self._position = None
            except Refused as refused:
                asked = refused.retry_after or 0
                self._failed(_why(refused))
            except Problem as problem:
                self._failed(problem.detail)
            except AWAY as error:
                self._failed(f"{NAME} does not answer ({type(error).__name__})")
            if asyncio.get_running_loop().time() - started > _LONGEST_WAIT:
                wait = _FIRST_WAIT
            else:
                # Replicas that lost the server at the same moment do not come back at the same moment.
                await asyncio.sleep(max(asked, wait * random.uniform(0.5, 1)))  # noqa: S311 - spreads load
                wait = min(2 * wait, _LONGEST_WAIT)

    def _failed(self, problem: str) -> None:
        if self.problem != problem:
            _log.warning("sessions are not up to date: %s", problem)
        self.problem = problem

    async def _list(self) -> None:
        path = sessions_path(self._namespace)
        documents: list[dict[str, Any]] = []
        query: Query = [("limit", str(_PAGE))]
        while True:
            page = await self._cluster.call("GET", path, query=query)
            # The items of a list do not say what they are.
            documents += [{"apiVersion": GROUP_VERSION, "kind": "ClaudeSession", **item} for item in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                break
            query = [("limit", str(_PAGE)), ("continue", token)]
        self._cache.replace(self._namespace, documents, version(page))
        self._position = page["metadata"]["resourceVersion"]

    async def _watch(self) -> None:
        """Until the server ends it, as it does now and then."""
        query = [
            ("watch", "true"),
            ("resourceVersion", str(self._position)),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(_WATCH)),
        ]
        lines = self._cluster.lines(sessions_path(self._namespace), query, _SILENCE)
        async with contextlib.aclosing(lines):
            try:
                async for line in lines:
                    self.problem = None
                    if line:
                        self._take(json.loads(line))
            except Refused as refused:
                if refused.status == 410:
                    raise _Expired from refused
                raise

    def _take(self, event: dict[str, Any]) -> None:
        document = event["object"]
        if event["type"] == "ERROR":
            if document.get("code") == 410:
                raise _Expired
            raise Refused(int(document.get("code") or 500), document)
        self._cache.event(self._namespace, event["type"], document)
        self._position = document["metadata"]["resourceVersion"]


def _why(refused: Refused) -> str:
    if refused.status == 404:
        return "the cluster has no ClaudeSessions: install their CustomResourceDefinition"
    return f"{NAME} refuses to list or watch claudesessions: {refused.message}"
