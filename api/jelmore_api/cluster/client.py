"""Asking the Kubernetes API: a connection that is made when it is needed, and a 503 while there is none."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import ClientError, ClientResponse, ClientTimeout
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from jelmore_api.cluster.answers import NAME, Refused
from jelmore_api.errors import unavailable

#: What goes wrong while it does not answer.
AWAY = (ClientError, OSError, TimeoutError)
MERGE_PATCH = "application/merge-patch+json"

#: Seconds: to connect; for an answer; that a call which is asked to come back later does so.
_CONNECT, _ANSWER, _PATIENCE = 3.0, 10.0, 5.0
_TRY_AGAIN = frozenset({429, 503})
_JSON = "application/json"
_log = logging.getLogger("jelmore.api.kubernetes")

type Query = Sequence[tuple[str, str]]


class Cluster:
    """`async with Cluster(kubeconfig)`: the path of a kubeconfig, or None in a pod, for its service account."""

    def __init__(self, kubeconfig: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._client: ApiClient | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()

    async def call(
        self, method: str, path: str, *, query: Query = (), body: object = None, content_type: str = _JSON
    ) -> dict[str, Any]:
        """The document that it answers with. Raises Refused, or Problem (503) while it does not answer."""
        try:
            async with asyncio.timeout(_ANSWER):
                return await self._patiently(method, path, query, body, content_type)
        except AWAY as error:
            _log.warning("%s: %s", NAME, type(error).__name__)
            raise unavailable(NAME) from error
        except Refused as refused:
            if refused.status < 500 and refused.status not in (401, 429):
                raise
            # 401: its own credentials are not taken, which is nothing that the caller could mend.
            _log.warning("%s: %s", NAME, refused)
            raise unavailable(NAME) from refused

    async def _patiently(self, method: str, path: str, query: Query, body: object, content_type: str) -> dict[str, Any]:
        """Comes back when the server is busy and says when: it has done nothing then."""
        until = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            try:
                async with self._request(method, path, query, body, content_type, ClientTimeout()) as response:
                    document: dict[str, Any] = json.loads(await response.read())
                    return document
            except Refused as refused:
                wait = refused.retry_after
                late = wait is None or asyncio.get_running_loop().time() + wait > until
                if refused.status not in _TRY_AGAIN or wait is None or late:
                    raise
            await asyncio.sleep(wait)

    async def lines(self, path: str, query: Query, silence: float) -> AsyncGenerator[bytes]:
        """An answer as it comes, line by line. `silence`: seconds without a byte that end it.

        Raises Refused, or one of AWAY.
        """
        timeout = ClientTimeout(connect=_CONNECT, sock_read=silence)
        async with self._request("GET", path, query, None, _JSON, timeout) as response:
            yield b""  # it has begun
            rest = bytearray()
            async for piece in response.content.iter_any():
                rest += piece
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield bytes(line)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, query: Query, body: object, content_type: str, timeout: ClientTimeout
    ) -> AsyncIterator[ClientResponse]:
        client = await self._connected()
        # Not preloaded: the client would log what it reads, and the answer of a TokenReview repeats the token.
        response: ClientResponse = await client.call_api(
            path,
            method,
            query_params=list(query),
            header_params={"Content-Type": content_type, "Accept": _JSON},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeout,
        )
        async with response:
            if not response.ok:
                raise Refused(response.status, _document(await response.read()), _seconds(response))
            yield response

    async def _connected(self) -> ApiClient:
        """Raises OSError for a configuration that cannot be read."""
        async with self._connecting:
            if self._client is None:
                configuration = Configuration()
                # Python 3.13 and later would refuse the certificates of many clusters' own authorities, which lack
                # extensions that RFC 5280 wants. Chain and name are checked as ever.
                configuration.disable_strict_ssl_verification = True
                try:
                    if self._kubeconfig is None:
                        load_incluster_config(client_configuration=configuration)
                    else:
                        await load_kube_config(self._kubeconfig, client_configuration=configuration)
                except ConfigException as error:
                    raise OSError(f"the kubeconfig or the pod's service account: {error}") from error
                self._client = ApiClient(configuration)
                self._client.user_agent = "jelmore-api"
            return self._client


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(response: ClientResponse) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None
