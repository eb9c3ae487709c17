"""Who may call: tables of the rules of one machine."""

from collections.abc import Callable

import pytest

from jelmore_api.auth.local import LOOPBACK_NAMES, check_content_type, check_host, check_origin, check_token, host_name
from jelmore_api.errors import Problem
from jelmore_contract.errors import ProblemType

TOKEN = "0123456789abcdef"


def refusal(check: Callable[[], None]) -> ProblemType | None:
    try:
        check()
    except Problem as problem:
        return problem.kind
    return None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("[::1", ""),
        ("[::1]8000", ""),
        ("localhost:", ""),
        ("localhost:80a", ""),
        ("localhost:80:80", ""),
        ("localhost@evil.example", "localhost@evil.example"),
        ("", ""),
    ],
)
def test_name_of_a_host_header(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("hosts", "allowed"),
    [
        (["localhost"], True),
        (["localhost:8000"], True),
        (["127.0.0.1:9"], True),
        (["[::1]:8000"], True),
        (["jelmore.example"], True),
        (["evil.example"], False),
        (["localhost.evil.example"], False),
        (["localhost@evil.example"], False),
        (["127.0.0.1.evil.example"], False),
        (["10.0.0.1"], False),
        (["localhost", "evil.example"], False),
        ([""], False),
        ([], False),
    ],
)
def test_only_our_names_are_hosts(hosts: list[str], allowed: bool) -> None:
    names = LOOPBACK_NAMES | {"jelmore.example"}
    assert refusal(lambda: check_host(hosts, names)) == (None if allowed else ProblemType.FORBIDDEN_ORIGIN)


@pytest.mark.parametrize(
    ("origins", "method", "allowed"),
    [
        ([], "POST", True),  # a program
        ([], "WEBSOCKET", True),
        (["http://localhost:8000"], "POST", True),
        (["http://localhost:8000"], "WEBSOCKET", True),
        (["http://LOCALHOST:8000"], "DELETE", True),
        (["https://evil.example"], "GET", True),  # it cannot read the answer: there are no CORS headers
        (["https://evil.example"], "POST", False),
        (["https://evil.example"], "DELETE", False),
        (["https://evil.example"], "WEBSOCKET", False),
        (["http://localhost:3000"], "POST", False),  # another program's pages on this machine
        (["http://127.0.0.1:8000"], "WEBSOCKET", False),
        (["null"], "POST", False),  # a sandboxed frame, a file
        ([""], "POST", False),
        (["http://localhost:8000", "https://evil.example"], "POST", False),
    ],
)
def test_only_our_own_pages_may_change_things(origins: list[str], method: str, allowed: bool) -> None:
    expected = None if allowed else ProblemType.FORBIDDEN_ORIGIN
    assert refusal(lambda: check_origin(origins, "localhost:8000", method)) == expected


@pytest.mark.parametrize(
    ("authorization", "path", "allowed"),
    [
        ([f"Bearer {TOKEN}"], "/api/v1/sessions", True),
        ([f"bearer  {TOKEN} "], "/api/v1/sessions", True),
        ([f"Bearer {TOKEN}x"], "/api/v1/sessions", False),
        (["Bearer "], "/api/v1/sessions", False),
        (["Bearer é"], "/api/v1/sessions", False),
        ([f"Basic {TOKEN}"], "/api/v1/sessions", False),
        ([f"Bearer {TOKEN}", "Bearer x"], "/api/v1/sessions", False),
        ([], "/api/v1/sessions", False),
        ([], "/healthz", True),
        ([], "/readyz", True),
        ([], "/api/v1/docs", True),
        ([], "/api/v1/docs/assets/swagger.js", True),
        ([], "/api/v1/docsx", False),
        ([], "/healthzx", False),
    ],
)
def test_a_token_opens_everything_and_is_needed_for_all_but_probes_and_docs(
    authorization: list[str], path: str, allowed: bool
) -> None:
    expected = None if allowed else ProblemType.UNAUTHORIZED
    assert refusal(lambda: check_token(authorization, TOKEN, path)) == expected


@pytest.mark.parametrize(
    ("content_types", "has_body", "allowed"),
    [
        (["application/json"], True, True),
        (["Application/JSON; charset=utf-8"], True, True),
        ([], False, True),
        ([], True, False),
        (["text/plain"], True, False),
        (["application/x-www-form-urlencoded"], True, False),
        (["multipart/form-data; boundary=application/json"], True, False),
        (["text/plain", "application/json"], True, False),
    ],
)
def test_a_body_says_that_it_is_json(content_types: list[str], has_body: bool, allowed: bool) -> None:
    if allowed:
        check_content_type(content_types, has_body)
        return
    with pytest.raises(Problem) as caught:
        check_content_type(content_types, has_body)
    assert caught.value.status == 415
