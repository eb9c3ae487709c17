"""One request on its way: to the upstream with the real key, and its answer back, both as they come.

Where it goes is the Secret's or the installation's word alone: of the request only the query is taken over into its
address, its path must be one of a few, and no redirect is followed. Nothing is tried twice: the CLI does that itself.
"""

import logging
import time

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerTimeoutError,
    web,
)

from jelmore_proxy.body import Body, Failures
from jelmore_proxy.credentials import Credentials, Unusable
from jelmore_proxy.errors import error
from jelmore_proxy.headers import request_headers, response_headers
from jelmore_proxy.metrics import Metrics

logger = logging.getLogger(__name__)

#: All that Claude Code asks of the Messages API. Whatever else the key may open stays closed.
ALLOWED = frozenset({("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("HEAD", "/api/hello")})

# Seconds. An answer may take ten minutes; what the CLI waits for no longer ends by the CLI hanging up.
_TIMEOUT = ClientTimeout(total=None, sock_connect=20, sock_read=600)
# What aiohttp would add by itself where the client said nothing.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# Answers after which the CLI asks again, and 500 and above.
_PASSING = (401, 408, 409, 429)


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
    def __init__(self, credentials: Credentials, session: ClientSession, metrics: Metrics) -> None:
        self._credentials = credentials
        self._session = session
        self._metrics = metrics
        self._failures = Failures()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, mark, query = request.raw_path.partition("?")
        if (request.method, path) not in ALLOWED:
            self._metrics.refused.inc()
            return error(403, f"Jelmore's proxy passes the Messages API alone, not {request.method} {path[:200]}.")
        began = time.monotonic()
        body = Body(request.content)
        try:
            status = 500  # of one that came to no answer at all
            response = await self._answered(request, path, mark + query, body)
            status = response.status
            return response
        finally:
            self._metrics.whole.observe(time.monotonic() - began)
            self._metrics.sent.inc(body.size)
            if body.size and self._failures.taken(body.digest):
                self._metrics.retries.inc()
            if body.size and (status >= 500 or status in _PASSING):
                self._failures.add(body.digest)

    async def _answered(self, request: web.BaseRequest, path: str, query: str, body: Body) -> web.StreamResponse:
        began = time.monotonic()
        try:
            upstream = self._credentials.current()
            url = upstream.url + path + query
            headers = request_headers(request.headers.items(), upstream.credential)
            data = body.pieces() if request.body_exists else None
            answer = await self._session.request(request.method, url, headers=headers, data=data, allow_redirects=False)
        except Unusable as reason:
            return self._failed(
                401, f"No model can be asked: {reason}. Once that is mended, the session goes on by itself."
            )
        except (ServerTimeoutError, TimeoutError) as reason:
            return self._failed(504, _unanswered("did not answer in time", reason))
        except (ClientError, OSError) as reason:
            return self._failed(502, _unanswered("cannot be reached", reason))
        async with answer:
            self._metrics.head.observe(time.monotonic() - began)
            self._metrics.answered(answer.status, "upstream")
            return await self._pass_back(request, answer)

    async def _pass_back(self, request: web.BaseRequest, answer: ClientResponse) -> web.StreamResponse:
        headers = response_headers(answer.headers.items())
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                self._metrics.received.inc(len(piece))
                await response.write(piece)  # waits for a client that does not read
        except (ClientError, TimeoutError) as reason:
            # A cut must look like one: an orderly end would make half an answer a whole one.
            logger.warning("the answer was cut: %s", type(reason).__name__)
            self._metrics.cut.inc()
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write_eof()
        return response

    def _failed(self, status: int, message: str) -> web.Response:
        self._metrics.answered(status, "proxy")
        logger.warning("%s", message)
        return error(status, message)


def _unanswered(what: str, reason: Exception) -> str:
    return f"The model's API {what} ({type(reason).__name__}): tried by Jelmore's proxy."
