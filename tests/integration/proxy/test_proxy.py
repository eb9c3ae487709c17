"""The key proxy between a client and a stand-in for the Messages API."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientPayloadError, ClientResponse, ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer

from jelmore_proxy.forward import Forwarder, upstream_session
from jelmore_proxy.settings import Kind, Upstream
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
    async with serving(model) as upstream, proxied("apiKey", f"{upstream}/below") as url:
        credentials = {"x-api-key": "placeholder", "Authorization": "Bearer placeholder", "Cookie": "a=b"}
        async with post(url, b"x" * 20_000_000, **credentials, **{"anthropic-beta": "b"}) as response:
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
    async with serving(model) as upstream, proxied("gateway", upstream) as url, post(url) as response:
        assert response.status == 307
    assert model.asked == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/messages/../organizations"),
        ("POST", "/v1//messages"),
        ("GET", "/v1/organizations"),
        ("GET", "/"),
        ("CONNECT", "/"),
    ],
)
async def test_nothing_else_of_the_api_is_reached(proxied: Proxied, method: str, path: str) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        return web.Response()

    model = Model(never)
    async with serving(model) as upstream, proxied("apiKey", upstream) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), LIMIT)
        writer.close()
    assert answer.split(b" ", 2)[1] in (b"404", b"400")
    assert model.asked == 0


async def test_the_cli_s_greeting_passes(proxied: Proxied) -> None:
    async def hello(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    model = Model(hello)
    async with (
        serving(model) as upstream,
        proxied("apiKey", upstream) as url,
        ClientSession() as session,
        session.head(f"{url}/api/hello") as response,
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

    async with serving(Model(slowly)) as upstream, proxied("apiKey", upstream) as url, post(url) as response:
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

    async with serving(Model(for_ever)) as upstream, proxied("apiKey", upstream) as url:
        async with post(url) as response:
            await response.content.readany()
        await asyncio.wait_for(gone.wait(), LIMIT)


async def test_a_client_that_does_not_read_is_waited_for(proxied: Proxied) -> None:
    blocked = asyncio.Event()
    size, piece = 128 << 20, bytes(1 << 20)

    async def much(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(size // len(piece)):
            writing = asyncio.ensure_future(response.write(piece))
            if not (await asyncio.wait({writing}, timeout=1))[0]:
                blocked.set()
            await writing
        return response

    async with serving(Model(much)) as upstream, proxied("apiKey", upstream) as url, post(url) as response:
        await blocked.wait()
        total = 0
        async for data in response.content.iter_any():
            total += len(data)
        assert total == size


async def test_an_answer_that_is_cut_is_cut_for_the_client_too(proxied: Proxied) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(Model(half)) as upstream, proxied("apiKey", upstream) as url, post(url) as response:
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_an_upstream_that_is_away(proxied: Proxied) -> None:
    async with proxied("apiKey", "http://127.0.0.1:9") as url, post(url) as response:
        assert response.status == 502
        told = await response.json()
    assert told["type"] == "error"
    assert told["error"]["type"] == "api_error"
    assert "cannot be reached" in told["error"]["message"]


async def test_an_upstream_that_does_not_answer() -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with serving(Model(never)) as url, upstream_session(ClientTimeout(sock_read=0.1)) as session:
        forwarder = Forwarder(Upstream(Kind.API_KEY, url, KEY), session)
        runner = web.ServerRunner(web.Server(forwarder.handle), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with post(f"http://127.0.0.1:{runner.addresses[0][1]}") as response:
                assert response.status == 504
                assert json.loads(await response.text())["error"]["type"] == "timeout_error"
        finally:
            await runner.cleanup()
