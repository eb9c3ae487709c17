"""What every request passes first: an id, one line in the log, a guard, a limit of its size.

Plain ASGI, for HTTP and WebSocket.
"""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jelmore_api.auth import local
from jelmore_api.auth.access import Access, Everything
from jelmore_api.auth.rules import Where, find_rule, is_open, route_of
from jelmore_api.errors import Problem, internal, no_path, too_large
from jelmore_api.logs import request_id
from jelmore_api.metrics.registry import Metrics
from jelmore_api.services import Services
from jelmore_api.sessions.ids import canonical_id
from jelmore_api.settings import Settings

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STATUS = frozenset({"http.response.start", "websocket.http.response.start"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
_log = logging.getLogger("jelmore.api.access")


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _method(scope: Scope) -> str:
    return str(scope.get("method", "WEBSOCKET"))


def _counted_method(scope: Scope) -> str:
    """Anybody can make up a method, too."""
    method = _method(scope)
    return method if method in _METHODS else "other"


class AccessLog:
    """Gives each request an id, answers with it, counts it, and logs its outcome: no query, no body, no header."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = _headers(scope, b"x-request-id")
        name = given[0] if given and _REQUEST_ID.fullmatch(given[0]) else uuid4().hex
        request_id.set(name)
        seen: MutableMapping[str, Any] = {"status": None}
        head = 0.0

        async def send_with_id(message: Message) -> None:
            if message["type"] in _STATUS or message["type"] == "websocket.accept":
                nonlocal head
                head = time.perf_counter()
                seen["status"] = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            if message["type"] == "websocket.close":
                seen["code"] = message.get("code", 1000)
            await send(message)

        started = time.perf_counter()
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            # The one place where what nobody expected ends up: logged once, with the id that the client got.
            _log.exception("failed: %s", scope["path"])
            if seen["status"] is None:
                await internal().response()(scope, receive, send_with_id)
        finally:
            if seen["status"] is not None:
                self.metrics.answered(
                    _counted_method(scope), route_of(scope["path"]) or "other", seen["status"], head - started
                )
            self._write(scope, seen, time.perf_counter() - started)

    def _write(self, scope: Scope, seen: MutableMapping[str, Any], seconds: float) -> None:
        fields = {
            "method": _method(scope),
            "path": scope["path"],
            "duration_ms": round(seconds * 1000, 1),
            **seen,
        }
        failed = (seen["status"] or 0) >= 500
        _log.log(logging.WARNING if failed else logging.INFO, "request", extra={"fields": fields})


class BodyLimit:
    """Refuses a body that says that it is too large, and stops reading one that turns out to be."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = _headers(scope, b"content-length")
        if length and int(length[0]) > self.limit:
            await too_large().response()(scope, receive, send)
            return
        taken = 0

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                # The one kind of exception that FastAPI lets through while it reads a body.
                raise HTTPException(413)
            return message

        await self.app(scope, receive_some, send)


class LocalGuard:
    """One machine: refuses what the rules of `auth.local` refuse, and lets everybody else do everything."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.hosts = local.LOOPBACK_NAMES | {settings.host.lower(), *settings.hosts}
        self.token = settings.token.get_secret_value() if settings.token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
            scope.setdefault("state", {})["access"] = Everything()
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        hosts = _headers(scope, b"host")
        local.check_host(hosts, self.hosts)
        local.check_origin(_headers(scope, b"origin"), hosts[0], scope.get("method", "WEBSOCKET"))
        if self.token is not None:
            local.check_token(_headers(scope, b"authorization"), self.token, scope["path"])
        _check_body(scope)


class ClusterGuard:
    """A cluster: lets in whom Kubernetes knows by their token, to what it allows them.

    Fails closed: a call without a rule is one that there is not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not is_open(scope["path"]):
            try:
                scope["state"]["access"] = await self._access(scope)
                # No page can send a token unasked, but what is no JSON is refused as it is on one machine.
                _check_body(scope)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _access(self, scope: Scope) -> Access:
        services: Services = scope["state"]["services"]
        assert services.admit is not None
        access = await services.admit(_headers(scope, b"authorization"))
        found = find_rule(scope.get("method", "WEBSOCKET"), scope["path"])
        if found is None:
            raise no_path()
        rule, session_id = found
        if rule.where is Where.SESSION:
            await access.check_session(canonical_id(session_id), rule.verb)
        return access


def _check_body(scope: Scope) -> None:
    length = _headers(scope, b"content-length")
    has_body = bool(length and length[0] != "0") or bool(_headers(scope, b"transfer-encoding"))
    local.check_content_type(_headers(scope, b"content-type"), has_body)
