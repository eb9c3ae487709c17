"""Which headers travel on: pure."""

from collections.abc import Iterable

type Headers = list[tuple[str, str]]

#: They speak of one connection, not of what is asked (RFC 9110, 7.6.1).
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: What the client may not choose: where it goes, as whom, and whether it is waited for.
_CLIENTS_OWN = frozenset({"host", "authorization", "x-api-key", "cookie", "expect"})


def request_headers(client: Iterable[tuple[str, str]], credential: tuple[str, str]) -> Headers:
    """The client's, with `credential` in the place of whatever it sent as one."""
    return [*_onward(client, _HOP_BY_HOP | _CLIENTS_OWN), credential]


def response_headers(upstream: Iterable[tuple[str, str]]) -> Headers:
    """The upstream's, but for cookies: the client keeps none, and they may be worth as much as the key."""
    return _onward(upstream, _HOP_BY_HOP | {"set-cookie"})


def _onward(headers: Iterable[tuple[str, str]], dropped: frozenset[str]) -> Headers:
    pairs = [(name, name.lower(), value) for name, value in headers]
    named = {word.strip().lower() for _, name, value in pairs if name == "connection" for word in value.split(",")}
    return [(name, value) for name, lower, value in pairs if lower not in dropped and lower not in named]
