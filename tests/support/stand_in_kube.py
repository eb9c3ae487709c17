"""As much of an API server as shows what a real one does seldom: it forgets, hurries nobody, fails, and hangs up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web

from jelmore_api.cluster.client import Cluster

_SESSIONS = "/apis/jelmore.dev/v1alpha1/claudesessions"
_IN_NAMESPACE = "/apis/jelmore.dev/v1alpha1/namespaces/{namespace}/claudesessions"


class StandInKube:
    """objects: by uid. asked: method and path of every request, with what a watch starts from.

    late: nobody who watches is told. refusals: what is answered instead, by the method and the last part of the path,
    one after the other.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.refusals: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.reviewed: dict[str, Any] = {}
        self.oldest = 0
        self.late = False
        self.url = ""
        self._revision = 10
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._watches: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._uids = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        app = web.Application(middlewares=[self._first])
        app.router.add_get(_SESSIONS, self._list_or_watch)
        app.router.add_post(_IN_NAMESPACE, self._create)
        app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", self._review)
        app.router.add_post("/apis/authorization.k8s.io/v1/subjectaccessreviews", self._review)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            self.hang_up()
            await runner.cleanup()

    def put(self, name: str, **spec: Any) -> str:
        """Makes a session, or changes the one of that name. Its uid."""
        known = next((found for found in self.objects.values() if found["metadata"]["name"] == name), None)
        if known is None:
            self._uids += 1
            metadata = {"name": name, "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}
            known = {"metadata": metadata | {"uid": f"{self._uids:08}-0000-4000-8000-000000000000"}}
        made = {**known, "metadata": {**known["metadata"], "resourceVersion": str(self._next())}, "spec": spec}
        uid = str(made["metadata"]["uid"])
        self._tell("MODIFIED" if uid in self.objects else "ADDED", made)
        self.objects[uid] = made
        return uid

    def delete(self, uid: str, *, silently: bool = False) -> None:
        """silently: nobody who watches hears of it."""
        gone = self.objects.pop(uid)
        metadata = {**gone["metadata"], "resourceVersion": str(self._next())}
        if not silently:
            self._tell("DELETED", {**gone, "metadata": metadata})

    def bookmark(self) -> None:
        self._tell("BOOKMARK", {"metadata": {"resourceVersion": str(self._next())}})

    def say(self, event: dict[str, Any]) -> None:
        """To all who watch now."""
        for watch in self._watches:
            watch.put_nowait(event)

    def hang_up(self) -> None:
        for watch in self._watches:
            watch.put_nowait(None)

    def forget(self) -> None:
        """All events so far: whoever watches from before must list again."""
        self.oldest = self._next()
        self._events.clear()

    def _next(self) -> int:
        self._revision += 1
        return self._revision

    def _tell(self, kind: str, document: dict[str, Any]) -> None:
        whole = {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", **document}
        event = {"type": kind, "object": whole}
        self._events.append((int(document["metadata"]["resourceVersion"]), event))
        if not self.late:
            self.say(event)

    @web.middleware
    async def _first(self, request: web.Request, handler: Any) -> web.StreamResponse:
        watch = f" from {request.query['resourceVersion']}" if "watch" in request.query else ""
        last = request.path.rpartition("/")[2]
        self.asked.append(f"{request.method} {last}{watch}")
        if refusals := self.refusals.get(f"{request.method} {last}{' watch' if watch else ''}"):
            status, headers = refusals.pop(0)
            document = {"kind": "Status", "reason": "Whatever", "message": "not now", "code": status}
            return web.json_response(document, status=status, headers=headers)
        response: web.StreamResponse = await handler(request)
        return response

    async def _list_or_watch(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            items = [{key: value for key, value in found.items() if key != "kind"} for found in self.objects.values()]
            # Pages of two, whatever was asked for.
            start = int(request.query.get("continue") or 0)
            metadata = {"resourceVersion": str(self._revision)}
            if len(items) > start + 2:
                metadata["continue"] = str(start + 2)
            return web.json_response({"metadata": metadata, "items": items[start : start + 2]})
        since = int(request.query["resourceVersion"])
        if since < self.oldest:
            return web.json_response({"kind": "Status", "reason": "Expired", "code": 410}, status=410)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        for revision, missed in self._events:
            if revision > since:
                queue.put_nowait(missed)
        self._watches.add(queue)
        try:
            await response.prepare(request)
            while (event := await queue.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
            assert request.transport is not None
            request.transport.abort()
        finally:
            self._watches.discard(queue)
        return response

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        uid = self.put(body["metadata"]["name"], **body["spec"])
        return web.json_response(
            {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", **self.objects[uid]}, status=201
        )

    async def _review(self, request: web.Request) -> web.Response:
        return web.json_response({"status": self.reviewed}, status=201)


@pytest.fixture
async def stand_in_kube() -> AsyncIterator[StandInKube]:
    async with StandInKube().serving() as running:
        yield running


@pytest.fixture
async def stand_in_cluster(stand_in_kube: StandInKube, tmp_path: Path) -> AsyncIterator[Cluster]:
    path = tmp_path / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": stand_in_kube.url}}],
        "users": [{"name": "u", "user": {"token": "own-token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(json.dumps(config))
    async with Cluster(str(path)) as cluster:
        yield cluster
