"""Who a caller is and what they may do, as Kubernetes says: TokenReview, then SubjectAccessReview.

A token must be made for Jelmore's own audience. One for the API server is refused: whoever gets tokens sent should not
be able to act with them elsewhere. No token is kept: answers are remembered by its hash.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from jelmore_api.auth.expiring import Expiring
from jelmore_api.cluster.answers import NAME, Refused
from jelmore_api.cluster.client import Cluster
from jelmore_api.errors import Problem, unavailable
from jelmore_contract.errors import ProblemType

_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
#: Seconds that an answer holds: what is taken away is gone after the first, what is given is there after the second.
_YES, _NO = 20.0, 2.0
_SIZE = 4096
#: Characters. Those of service accounts have about a thousand.
_LONGEST_TOKEN = 16_384
_log = logging.getLogger("jelmore.api.auth")


class Caller(NamedTuple):
    """As TokenReview names them, and SubjectAccessReview takes them."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]


class Attempt(NamedTuple):
    """What a caller wants to do. namespace: "" for all. name: "" for any."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str = ""


class Reviews:
    """Every method raises Problem (503) while Kubernetes does not answer."""

    def __init__(self, cluster: Cluster, audience: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._audience = audience
        self._callers = Expiring[bytes, Caller | None](lambda caller: _YES if caller else _NO, _SIZE, clock)
        self._allowed = Expiring[tuple[Caller, Attempt], bool](lambda yes: _YES if yes else _NO, _SIZE, clock)

    async def caller(self, authorization: list[str]) -> Caller:
        """`authorization`: every such header of the request. Raises Problem (401) too."""
        scheme, _, token = (authorization[0] if len(authorization) == 1 else "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise self._unauthorized("This Jelmore wants a token of Kubernetes.")
        caller = None
        if len(token) <= _LONGEST_TOKEN:
            key = hashlib.sha256(token.encode()).digest()
            caller = await self._callers.get(key, lambda: self._ask_who(token))
        if caller is None:
            detail = f"The token is none of this cluster's, or has expired, or is not made for {self._audience}."
            raise self._unauthorized(detail)
        return caller

    async def allows(self, caller: Caller, attempt: Attempt) -> bool:
        return await self._allowed.get((caller, attempt), lambda: self._ask_access(caller, attempt))

    async def _ask_who(self, token: str) -> Caller | None:
        spec = {"token": token, "audiences": [self._audience]}
        status = await self._review(_TOKEN_REVIEWS, "TokenReview", "authentication.k8s.io/v1", spec)
        # One that does not say for whom it reviewed has not looked at the audience.
        if not status.get("authenticated") or self._audience not in status.get("audiences", ()):
            return None
        user = status["user"]
        extra = tuple(sorted((name, tuple(values)) for name, values in (user.get("extra") or {}).items()))
        return Caller(user["username"], user.get("uid", ""), tuple(user.get("groups") or ()), extra)

    async def _ask_access(self, caller: Caller, attempt: Attempt) -> bool:
        attributes = {name: value for name, value in attempt._asdict().items() if value}
        spec = {
            "user": caller.username,
            "uid": caller.uid,
            "groups": list(caller.groups),
            "extra": {name: list(values) for name, values in caller.extra},
            "resourceAttributes": attributes,
        }
        status = await self._review(_ACCESS_REVIEWS, "SubjectAccessReview", "authorization.k8s.io/v1", spec)
        return bool(status.get("allowed"))

    async def _review(self, path: str, kind: str, api_version: str, spec: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": api_version, "kind": kind, "spec": spec}
        try:
            answer = await self._cluster.call("POST", path, body=body)
        except Refused as refused:
            # Its message names the account of this service, not the token.
            _log.warning("%s refuses a %s: %s", NAME, kind, refused.message)
            raise unavailable(f"{NAME}, asked for a {kind},") from refused
        status: dict[str, Any] = answer.get("status") or {}
        return status

    def _unauthorized(self, detail: str) -> Problem:
        command = f"kubectl create token SERVICEACCOUNT --audience {self._audience}"
        return Problem(
            ProblemType.UNAUTHORIZED,
            f"{detail} Make one with `{command}`, and send it in the header Authorization: Bearer TOKEN; "
            "the jelmore command takes it from JELMORE_TOKEN.",
            headers={"WWW-Authenticate": f'Bearer realm="jelmore", error_description="{command}"'},
        )
