"""The rules of one machine, as pure functions.

A browser will send requests to 127.0.0.1 for any page. So the Host must be one of ours (DNS rebinding: a foreign name
that was made to point here), and a request that changes something, or a WebSocket, must not come from another site's
page (Origin).
"""

import hmac
from urllib.parse import urlsplit

from jelmore_api.auth.rules import is_open
from jelmore_api.errors import Problem
from jelmore_contract.errors import ProblemType

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: No page can send these unasked. The second one is a PATCH's own (RFC 7396).
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(host: str) -> str:
    """The name in a Host header, without its port: `[::1]:8000` -> `::1`. "" for what is none."""
    if host.startswith("["):
        name, closing, port = host[1:].partition("]")
        valid = closing and (not port or (port[0] == ":" and port[1:].isdigit()))
        return name.lower() if valid else ""
    name, colon, port = host.partition(":")
    return name.lower() if not colon or port.isdigit() else ""


def check_host(hosts: list[str], allowed: frozenset[str]) -> None:
    """`hosts`: every Host header of the request. Raises Problem unless there is exactly one, of ours."""
    if len(hosts) != 1 or host_name(hosts[0]) not in allowed:
        raise Problem(
            ProblemType.FORBIDDEN_ORIGIN,
            "The Host header names none of this service's names. Use http://127.0.0.1 or http://localhost, "
            "or add the name to JELMORE_HOSTS.",
        )


def check_origin(origins: list[str], host: str, method: str) -> None:
    """`method`: WEBSOCKET for a WebSocket. Raises Problem for a page of another site; programs send no Origin."""
    if not origins or method in _SAFE_METHODS:
        return
    if len(origins) != 1 or urlsplit(origins[0]).netloc.lower() != host.lower():
        raise Problem(
            ProblemType.FORBIDDEN_ORIGIN,
            "The Origin header says that a page of another site sent this. Only pages served from here may.",
        )


def check_token(authorization: list[str], token: str, path: str) -> None:
    """Raises Problem unless the request brings the token, or its path is open to all. As slow for any wrong one."""
    if is_open(path):
        return
    scheme, _, given = (authorization[0] if len(authorization) == 1 else "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not right:
        raise Problem(
            ProblemType.UNAUTHORIZED,
            "This Jelmore wants the token that it was started with: send it in the header Authorization: Bearer TOKEN; "
            "the jelmore command takes it from JELMORE_TOKEN.",
            headers={"WWW-Authenticate": "Bearer"},
        )


def check_content_type(content_types: list[str], has_body: bool) -> None:
    """Raises Problem (415) for a body that does not say that it is JSON: a form, any page may send unasked."""
    media_type = content_types[0].partition(";")[0].strip().lower() if len(content_types) == 1 else ""
    if has_body and media_type not in JSON_TYPES:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            "The body must be JSON and say so: send the header Content-Type: application/json.",
            status=415,
        )
