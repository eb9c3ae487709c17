"""One request on its way: to the upstream with the real key, and its answer back, both as they come."""

import logging

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerTimeoutError,
    web,
)

from jelmore_proxy.errors import error
from jelmore_proxy.headers import request_headers, response_headers
from jelmore_proxy.settings import Upstream

logger = logging.getLogger(__name__)

#: All that Claude Code asks of the Messages API. Whatever else the key may open stays closed.
ALLOWED = frozenset({("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("HEAD", "/api/hello")})

# Seconds. An answer may take ten minutes; what the CLI waits for no longer ends by the CLI hanging up.
_TIMEOUT = ClientTimeout(total=None, sock_connect=20, sock_read=600)
# What aiohttp would add by itself where the client said nothing.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def upstream_session(timeout: ClientTimeout = _TIMEOUT) -> ClientSession:
    """Believes no environment about proxies, keeps no cookies, leaves bodies as they are."""
    return ClientSession(
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
        timeout=timeout,
        trust_env=False,
    )


class Forwarder:
    def __init__(self, upstream: Upstream, session: ClientSession) -> None:
        self._upstream = upstream
        self._session = session

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, mark, query = request.raw_path.partition("?")
        if (request.method, path) not in ALLOWED:
            return error(404, f"Jelmore's proxy passes the Messages API alone, not {request.method} {path[:200]}.")
        url = self._upstream.url + path + mark + query
        headers = request_headers(request.headers.items(), self._upstream.credential)
        body = request.content if request.body_exists else None
        try:
            answer = await self._session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
        except (ServerTimeoutError, TimeoutError) as reason:
            return _failed(path, 504, "did not answer in time", reason)
        except (ClientError, OSError) as reason:
            return _failed(path, 502, "cannot be reached", reason)
        async with answer:
            return await _pass_back(request, answer)


async def _pass_back(request: web.BaseRequest, answer: ClientResponse) -> web.StreamResponse:
    headers = response_headers(answer.headers.items())
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)  # waits for a client that does not read
    except (ClientError, TimeoutError) as reason:
        # A cut must look like one: an orderly end would make half an answer a whole one.
        logger.warning("the answer was cut: %s", type(reason).__name__)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _failed(path: str, status: int, what: str, reason: Exception) -> web.Response:
    logger.warning("%s: the upstream %s: %s", path, what, type(reason).__name__)
    return error(status, f"The model's API {what} ({type(reason).__name__}): tried by Jelmore's proxy.")
