"""Calls to the cluster's API server: documents in, documents out.

kubernetes-asyncio knows where the server is and who asks, and holds the connections. Its calls and generated models are
not used: they cost more than the request itself, and drop what a newer server has added.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration
from yarl import URL

from jelmore_operator.kube.names import FIELD_MANAGER

#: A Kubernetes object (or list), as JSON has it.
type Document = dict[str, Any]

_TIMEOUT = 10.0  # seconds for a call
_LIST_TIMEOUT = 60.0
_LONGEST_PAUSE = 60.0  # seconds: what a server may ask for
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML


class ApiError(OSError):
    """What the API server answered instead. status: of HTTP, 0 where there was no answer. reason: Kubernetes' word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Kind(NamedTuple):
    """group: the path of its group and version."""

    group: str
    plural: str


SESSIONS = Kind("/apis/jelmore.dev/v1alpha1", "claudesessions")
PODS = Kind("/api/v1", "pods")
CLAIMS = Kind("/api/v1", "persistentvolumeclaims")
SECRETS = Kind("/api/v1", "secrets")
POLICIES = Kind("/apis/networking.k8s.io/v1", "networkpolicies")
EVENTS = Kind("/api/v1", "events")
LEASES = Kind("/apis/coordination.k8s.io/v1", "leases")


class Listed(NamedTuple):
    """version: of the whole list; objects of a later one may be missing from it."""

    version: int
    items: list[Document]


def version_of(document: Document) -> int:
    """Of an object or a list. Versions of one kind are in order (Kubernetes promises it from 1.35, and has always)."""
    return int(document["metadata"]["resourceVersion"])


async def connect() -> ApiClient:
    """As the pod's service account; outside a cluster, as KUBECONFIG or ~/.kube/config says.

    Raises config.ConfigException where there is neither.
    """
    configuration = Configuration()
    # Authorities of many clusters say less in their certificates than RFC 5280 asks for, and Python 3.13 refuses them
    # otherwise. Chain and name are checked as ever.
    configuration.disable_strict_ssl_verification = True
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)
    client = ApiClient(configuration)
    client.user_agent = FIELD_MANAGER
    return client


def _uncounted(_verb: str, _code: int, _seconds: float) -> None:
    pass


class Api:
    """Every call raises ApiError for what is refused, TimeoutError after ten seconds. counted: called with each
    request's verb, in Kubernetes' words, the HTTP status of its answer (0: none) and the seconds until then.

    A server that asks to be left alone for a while (Retry-After) is, by all calls but those about the Lease.
    """

    def __init__(self, client: ApiClient, counted: Callable[[str, int, float], None] = _uncounted) -> None:
        self._client = client
        # The client's own session looks for a netrc file, in a thread, and for proxies at each request.
        connections = client.rest_client.pool_manager.connector
        self._http = aiohttp.ClientSession(
            connector=connections, connector_owner=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        self._counted = counted
        self._paused_until = 0.0

    async def list_all(self, kind: Kind, namespace: str | None, selector: str = "", newest: bool = False) -> Listed:
        """All in one namespace, or in all. newest: as it is now; otherwise as the server's cache has it, which costs
        etcd nothing.
        """
        query = [("labelSelector", selector)] if selector else []
        if not newest:
            query.append(("resourceVersion", "0"))
        answer = await self._call("LIST", _path(kind, namespace), query, timeout=_LIST_TIMEOUT)
        return Listed(version_of(answer), answer["items"])

    async def get(self, kind: Kind, namespace: str, name: str) -> Document | None:
        try:
            return await self._call("GET", _path(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, kind: Kind, document: Document) -> Document:
        path = _path(kind, document["metadata"]["namespace"])
        return await self._call("POST", path, [("fieldManager", FIELD_MANAGER)], document)

    async def replace(self, kind: Kind, document: Document) -> Document:
        """Only as long as nobody else has changed it since it was read."""
        metadata = document["metadata"]
        return await self._call("PUT", _path(kind, metadata["namespace"], metadata["name"]), body=document)

    async def apply(self, kind: Kind, document: Document) -> Document:
        """Server-side apply, taking fields over from whoever has them."""
        metadata = document["metadata"]
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return await self._call("PATCH", _path(kind, metadata["namespace"], metadata["name"]), query, document, _APPLY)

    async def patch(self, kind: Kind, document: Document, subresource: str = "") -> Document:
        """A merge patch; `metadata` names the object. With its `resourceVersion`, only that version is changed;
        with its `uid`, no other of that name.
        """
        metadata = document["metadata"]
        path = _path(kind, metadata["namespace"], metadata["name"]) + subresource
        return await self._call("PATCH", path, [("fieldManager", FIELD_MANAGER)], document, _MERGE)

    async def delete(self, kind: Kind, document: Document, grace: int | None = None) -> Document | None:
        """This very object, not another of its name. None where it is gone. grace: seconds, for a pod."""
        metadata = document["metadata"]
        options: Document = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": metadata["uid"]}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            return await self._call("DELETE", _path(kind, metadata["namespace"], metadata["name"]), body=options)
        except ApiError as error:
            if error.status == 404 or (error.status == 409 and "uid" in error.message.lower()):
                return None
            raise

    async def _call(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Document | None = None,
        content: str = "application/json",
        timeout: float = _TIMEOUT,
    ) -> Document:
        """method: of HTTP, or LIST."""
        if not path.startswith(LEASES.group):
            await asyncio.sleep(self._paused_until - time.monotonic())
        began, status = time.monotonic(), 0
        try:
            async with self._http.request(
                "GET" if method == "LIST" else method,
                URL(f"{self._client.configuration.host}{path}?{urlencode(query or ())}", encoded=True),
                data=None if body is None else msgspec.json.encode(body),
                headers=await self._headers(content),
                timeout=aiohttp.ClientTimeout(total=timeout),
                proxy=self._client.rest_client.proxy,
                proxy_headers=self._client.rest_client.proxy_headers,
                server_hostname=self._client.rest_client.server_hostname,
            ) as response:
                status = response.status
                text = await response.read()
        except aiohttp.ClientError as error:
            # Without the error's own text: some quote the request.
            raise ApiError(0, type(error).__name__, "the API server cannot be reached") from error
        finally:
            self._counted(_VERBS[method], status, time.monotonic() - began)
        if not 200 <= status < 300:
            pause = _pause(response.headers.get("Retry-After", ""))
            self._paused_until = max(self._paused_until, time.monotonic() + pause)
            raise _refusal(status, text, kind_is_secret="/secrets" in path)
        answer: Document = msgspec.json.decode(text)
        return answer

    async def _headers(self, content: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": content, **self._client.default_headers}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])  # renews a token that has run out
        return headers


_VERBS = {"LIST": "list", "GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def _pause(retry_after: str) -> float:
    """An API server says it in seconds; a date, which HTTP knows too, would be a proxy's."""
    return min(float(retry_after), _LONGEST_PAUSE) if retry_after.isascii() and retry_after.isdecimal() else 0.0


def _path(kind: Kind, namespace: str | None, name: str = "") -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{kind.group}{scope}/{kind.plural}" + (f"/{name}" if name else "")


def _refusal(status: int, text: bytes, kind_is_secret: bool) -> ApiError:
    try:
        answer = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if not isinstance(answer, dict):  # a proxy's, before the API server
        answer = {}
    # A refusal of a Secret can quote what is in it.
    message = "left out" if kind_is_secret else str(answer.get("message", "no reason given"))[:2000]
    return ApiError(status, str(answer.get("reason", "Unknown")), message)
