"""Every call has a rule, and the rules are read as the router reads paths."""

import pytest
from fastapi.routing import iter_route_contexts

from jelmore_api.auth.rules import RULES, Rule, Verb, Where, find_rule, is_open
from jelmore_api.main import create_app
from jelmore_api.settings import Settings

ID = "550e8400-e29b-41d4-a716-446655440000"


def calls() -> set[tuple[str, str]]:
    """Method and path of every route of the application that is not open."""
    found = set()
    for route in iter_route_contexts(create_app(Settings()).routes):
        path, methods = route.path, route.methods
        assert path is not None
        if is_open(path):
            continue
        found |= {(method, path) for method in methods or {"WEBSOCKET"}}
    return found


def test_every_call_has_a_rule_and_every_rule_a_call() -> None:
    assert calls() == set(RULES)


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/api/v1/session", (Rule(Verb.CREATE, Where.BODY), "")),
        ("GET", "/api/v1/sessions", (Rule(Verb.LIST, Where.QUERY), "")),
        ("GET", f"/api/v1/session/{ID}", (Rule(Verb.GET), ID)),
        ("DELETE", f"/api/v1/session/{ID}", (Rule(Verb.DELETE), ID)),
        ("POST", f"/api/v1/session/{ID}/approvals/a.b", (Rule(Verb.UPDATE), ID)),
        ("WEBSOCKET", f"/api/v1/session/{ID}/stream", (Rule(Verb.GET), ID)),
        ("GET", "/api/v1/session/../x", None),
        ("GET", f"/api/v1/session/{ID}/", None),
        ("GET", f"/api/v1/session/{ID}\n", (Rule(Verb.GET), f"{ID}\n")),
        ("GET", "/api/v1/sessions/", None),
        ("HEAD", "/api/v1/sessions", None),
        ("GET", "/api/v1/session/", None),
        ("PUT", f"/api/v1/session/{ID}", None),
        ("GET", "/metrics", None),
    ],
)
def test_the_rule_of_a_call(method: str, path: str, found: tuple[Rule, str] | None) -> None:
    assert find_rule(method, path) == found


@pytest.mark.parametrize(
    ("path", "is_it"),
    [
        ("/healthz", True),
        ("/readyz", True),
        ("/api/v1/docs", True),
        ("/api/v1/docs/assets/swagger.js", True),
        ("/api/v1/docsx", False),
        ("/api/v1/sessions", False),
        ("/", False),
    ],
)
def test_open_paths(path: str, is_it: bool) -> None:
    assert is_open(path) == is_it
