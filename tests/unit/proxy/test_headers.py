"""Which headers pass the key proxy, and what takes the place of the client's credentials."""

import pytest

from jelmore_proxy.headers import request_headers, response_headers

KEY = ("x-api-key", "real")


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ([("anthropic-beta", "a,b"), ("X-App", "cli")], [("anthropic-beta", "a,b"), ("X-App", "cli")]),
        ([("X-Api-Key", "placeholder"), ("x-api-key", "again")], []),
        ([("Authorization", "Bearer placeholder"), ("Proxy-Authorization", "Basic eA=="), ("Cookie", "a=b")], []),
        ([("Host", "127.0.0.1:8377"), ("Expect", "100-continue")], []),
        ([("Connection", "keep-alive, X-Mine"), ("x-mine", "1"), ("Keep-Alive", "5"), ("TE", "trailers")], []),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], [("Content-Length", "5")]),
    ],
)
def test_a_request_s_headers(sent: list[tuple[str, str]], passed: list[tuple[str, str]]) -> None:
    assert request_headers(sent, KEY) == [*passed, KEY]


def test_a_response_s_headers() -> None:
    sent = [
        ("retry-after", "7"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("Content-Encoding", "gzip"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Set-Cookie", "a=b"),
    ]
    assert response_headers(sent) == sent[:3]
