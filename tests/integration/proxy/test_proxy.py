"""The key proxy between a client and a stand-in for the Messages API."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientPayloadError, ClientResponse, ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer

from jelmore_proxy.credentials import Credentials
from jelmore_proxy.forward import Forwarder, upstream_session
from jelmore_proxy.metrics import Metrics
from jelmore_proxy.settings import Kind, Settings
from tests.support.key_proxy import KEY, Proxied

LIMIT = 20  # seconds


class Model:
    """Answers as the test says; keeps the last request."""

    def __init__(self, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self.answer = answer
        self.asked = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = await request.read()
        return await self.answer(request)


@asynccontextmanager
async def serving(model: Model) -> AsyncIterator[str]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", model.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def post(url: str, data: bytes = b"{}", **headers: str) -> AsyncIterator[ClientResponse]:
    async with (
        asyncio.timeout(LIMIT),
        ClientSession() as session,
        session.post(
            f"{url}/v1/messages?beta=true", data=io.BytesIO(data), headers=headers, allow_redirects=False
        ) as response,
    ):
        yield response


async def test_what_the_upstream_says_passes_as_it_is(proxied: Proxied) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        headers = {"retry-after": "3", "anthropic-ratelimit-requests-remaining": "0", "request-id": "req_1"}
        return web.Response(status=429, body=b'{"type":"error"}', headers=headers)

    model = Model(busy)
    async with serving(model) as upstream, proxied("apiKey", f"{upstream}/below") as proxy:
        credentials = {"x-api-key": "placeholder", "Authorization": "Bearer placeholder", "Cookie": "a=b"}
        async with post(proxy.url, b"x" * 20_000_000, **credentials, **{"anthropic-beta": "b"}) as response:
            assert response.status == 429
            assert await response.read() == b'{"type":"error"}'
            assert response.headers["retry-after"] == "3"
            assert response.headers["anthropic-ratelimit-requests-remaining"] == "0"
            assert response.headers["request-id"] == "req_1"
    assert (model.headers["x-api-key"], model.headers["anthropic-beta"]) == (KEY, "b")
    assert not {"authorization", "cookie"} & model.headers.keys()
    assert model.headers["host"] == upstream.removeprefix("http://")
    assert model.body == b"x" * 20_000_000


async def test_a_redirect_is_not_followed(proxied: Proxied) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    model = Model(elsewhere)
    async with serving(model) as upstream, proxied("gateway", upstream) as proxy, post(proxy.url) as response:
        assert response.status == 307
    assert model.asked == 1


async def test_the_cli_s_greeting_passes(proxied: Proxied) -> None:
    async def hello(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    model = Model(hello)
    async with (
        serving(model) as upstream,
        proxied("apiKey", upstream) as proxy,
        ClientSession() as session,
        session.head(f"{proxy.url}/api/hello") as response,
    ):
        assert response.status == 204
    assert model.asked == 1


async def test_the_first_words_arrive_before_the_last_are_said(proxied: Proxied) -> None:
    heard = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: first\n\n")
        await heard.wait()
        await response.write(b"event: last\n\n")
        return response

    async with serving(Model(slowly)) as upstream, proxied("apiKey", upstream) as proxy, post(proxy.url) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await response.content.readany() == b"event: first\n\n"
        heard.set()
        assert await response.content.read() == b"event: last\n\n"


async def test_a_client_that_hangs_up_ends_the_request(proxied: Proxied) -> None:
    gone = asyncio.Event()

    async def for_ever(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        try:
            while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            gone.set()
        return response

    async with serving(Model(for_ever)) as upstream, proxied("apiKey", upstream) as proxy:
        async with post(proxy.url) as response:
            await response.content.readany()
        await asyncio.wait_for(gone.wait(), LIMIT)


#: What a proxy may grow by while much is under way and nobody reads: its buffers, and not what passes.
_MOST_MORE = 8 << 20
_MUCH, _PIECE = 128 << 20, bytes(1 << 20)


async def test_a_client_that_does_not_read_fills_no_memory(proxied: Proxied) -> None:
    blocked = asyncio.Event()

    async def much(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(_MUCH // len(_PIECE)):
            writing = asyncio.ensure_future(response.write(_PIECE))
            if not (await asyncio.wait({writing}, timeout=1))[0]:
                blocked.set()
            await writing
        return response

    async with serving(Model(much)) as upstream, proxied("apiKey", upstream) as proxy:
        async with post(proxy.url) as response:
            await response.content.readany()
        before = proxy.memory()
        blocked.clear()
        async with post(proxy.url) as response:
            await blocked.wait()
            assert proxy.memory() - before < _MOST_MORE
            total = 0
            async for data in response.content.iter_any():
                total += len(data)
            assert total == _MUCH
        assert proxy.memory() - before < _MOST_MORE


async def test_an_upstream_that_does_not_read_fills_no_memory(proxied: Proxied) -> None:
    go_on, sent = asyncio.Event(), 0

    async def reluctant(request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
        return web.Response(text=str(size))

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(_MUCH // len(_PIECE)):
            yield _PIECE
            sent += len(_PIECE)

    async def stalled() -> None:
        seen = -1
        while seen != sent or not sent:
            seen = sent
            await asyncio.sleep(1)

    app = web.Application()
    app.router.add_post("/v1/messages", reluctant)
    async with TestServer(app) as server, proxied("apiKey", str(server.make_url("")).rstrip("/")) as proxy:
        async with post(f"{proxy.url}/none") as response:
            assert response.status == 403
        before = proxy.memory()
        async with ClientSession() as session, asyncio.timeout(2 * LIMIT):
            asking = asyncio.ensure_future(session.post(f"{proxy.url}/v1/messages", data=pieces()))
            await stalled()
            at_once, more = sent, proxy.memory() - before
            go_on.set()
            async with await asking as response:
                assert await response.text() == str(_MUCH)
        assert at_once < _MUCH
        assert more < _MOST_MORE
        assert proxy.memory() - before < _MOST_MORE


async def test_a_body_that_the_client_has_packed_passes_as_it_is(proxied: Proxied) -> None:
    async def fine(request: web.Request) -> web.StreamResponse:
        return web.Response()

    model = Model(fine)
    packed = gzip.compress(b"hello")
    async with (
        serving(model) as upstream,
        proxied("apiKey", upstream) as proxy,
        post(proxy.url, packed, **{"Content-Encoding": "gzip"}) as response,
    ):
        assert response.status == 200
    assert (model.headers["content-encoding"], model.body) == ("gzip", b"hello")  # unpacked by the stand-in alone


async def test_an_answer_that_is_cut_is_cut_for_the_client_too(proxied: Proxied) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(Model(half)) as upstream, proxied("apiKey", upstream) as proxy, post(proxy.url) as response:
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_an_upstream_that_is_away(proxied: Proxied) -> None:
    async with proxied("apiKey", "http://127.0.0.1:9") as proxy:
        async with post(proxy.url) as response:
            assert response.status == 502
            told = await response.json()
        assert (await proxy.figures())["requests_total proxy 5xx"] == 1
    assert told["type"] == "error"
    assert told["error"]["type"] == "api_error"
    assert "cannot be reached" in told["error"]["message"]


async def test_an_upstream_that_does_not_answer(tmp_path: Path) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with serving(Model(never)) as url, upstream_session(ClientTimeout(sock_read=0.1)) as session:
        (tmp_path / "apiKey").write_text(KEY)
        forwarder = Forwarder(Credentials(Settings(Kind.API_KEY, tmp_path, url)), session, Metrics())
        runner = web.ServerRunner(web.Server(forwarder.handle), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with post(f"http://127.0.0.1:{runner.addresses[0][1]}") as response:
                assert response.status == 504
                assert json.loads(await response.text())["error"]["type"] == "timeout_error"
        finally:
            await runner.cleanup()
