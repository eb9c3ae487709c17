"""A proxy before a cluster's API server that counts what is written through it, and makes go wrong what can: a writer
that ends at any of its writes, refusals, answers that come late or never, a server that is away.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration

#: Not counted: what tells people, and who works.
_ASIDE = ("/events", "/leases")
_HOP = (
    "host",
    "authorization",
    "connection",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "accept-encoding",
)


@dataclass(frozen=True)
class Fault:
    """Of one request. status: of HTTP, instead of the API server's answer; retry_after: seconds, with it.
    delay: seconds before it goes on. lost: the API server gets it, and its answer is never seen.
    """

    status: int = 0
    retry_after: int | None = None
    delay: float = 0.0
    lost: bool = False


@dataclass
class KubeProxy:
    """writes: method and path of each. on_write: called with the number of a write (from 1) and whether the API server
    has it; False cuts the connection. fault: what goes wrong with a request, by its method and path. `go_away` until
    `come_back`: no connection is answered.
    """

    upstream: aiohttp.ClientSession
    server: str
    port: int = 0
    writes: list[str] = field(default_factory=list)
    on_write: Callable[[int, bool], bool] = lambda number, done: True
    fault: Callable[[str, str], Fault | None] = lambda method, path: None
    _away: bool = False
    _open: dict[int, web.Request] = field(default_factory=dict)

    def go_away(self) -> None:
        self._away = True
        self.cut_all()

    def come_back(self) -> None:
        self._away = False

    def cut_all(self) -> None:
        """All that is being answered, watches too."""
        for request in self._open.values():
            if request.transport is not None:
                request.transport.abort()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except aiohttp.ClientError:
            return self._cut(request)  # the API server hung up: so does this

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._away:
            return self._cut(request)
        self._open[id(request)] = request
        try:
            return await self._handle(request)
        finally:
            del self._open[id(request)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.fault(request.method, request.path_qs) or Fault()
        if fault.status:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            body = {"kind": "Status", "reason": "Test", "message": "refused", "code": fault.status}
            if fault.status == 410 and "watch" in request.query:
                # So a server tells that the place from which to go on is forgotten.
                return web.json_response({"type": "ERROR", "object": body})
            return web.json_response(body, status=fault.status, headers=headers)
        await asyncio.sleep(fault.delay)
        response = await self._pass(request)
        return self._cut(request) if fault.lost else response

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        counted = request.method != "GET" and not any(part in request.path for part in _ASIDE)
        number = 0
        if counted:
            self.writes.append(f"{request.method} {request.path}")
            number = len(self.writes)
            if not self.on_write(number, False):
                return self._cut(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = f"{self.server}{request.rel_url}"
        no_limit = aiohttp.ClientTimeout()
        async with self.upstream.request(
            request.method, url, headers=headers, data=await request.read() or None, timeout=no_limit
        ) as answer:
            if counted:
                body = await answer.read()
                if not self.on_write(number, True):
                    return self._cut(request)
                return web.Response(status=answer.status, body=body, content_type=answer.content_type)
            return await self._stream(request, answer)

    @staticmethod
    def _cut(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=502)

    @staticmethod
    async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            pass  # whoever watched has gone
        return response

    def kubeconfig(self, folder: Path) -> Path:
        """A file that leads here; nobody is asked who they are."""
        path = folder / f"kubeconfig-{self.port}"
        cluster = {"server": f"http://127.0.0.1:{self.port}"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(document))
        return path


@asynccontextmanager
async def kube_proxy(kubeconfig: Path) -> AsyncIterator[KubeProxy]:
    """Before the API server of that file, as its user."""
    access = Configuration()
    await config.load_kube_config(str(kubeconfig), client_configuration=access)
    tls = ssl.create_default_context(cafile=access.ssl_ca_cert)
    if access.cert_file:
        tls.load_cert_chain(access.cert_file, access.key_file)
    token = access.api_key.get("BearerToken")
    headers = {"Authorization": token} if token else {}
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as upstream:
        proxy = KubeProxy(upstream, str(access.host))
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            proxy.port = runner.addresses[0][1]
            yield proxy
        finally:
            await runner.cleanup()
