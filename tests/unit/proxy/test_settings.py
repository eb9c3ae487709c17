"""What the key proxy takes from its environment, and refuses."""

from pathlib import Path

import pytest

from jelmore_proxy.settings import Kind, Settings


def environ(**more: str) -> dict[str, str]:
    given = {"KIND": "apiKey", "SECRET": "/etc/upstream"} | more
    return {f"JELMORE_UPSTREAM_{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, Settings(Kind.API_KEY, Path("/etc/upstream"), "https://api.anthropic.com")),
        ({"URL": ""}, Settings(Kind.API_KEY, Path("/etc/upstream"), "https://api.anthropic.com")),
        ({"URL": "http://m:1/x/"}, Settings(Kind.API_KEY, Path("/etc/upstream"), "http://m:1/x")),
        ({"KIND": "gateway"}, Settings(Kind.GATEWAY, Path("/etc/upstream"))),
    ],
)
def test_what_it_takes(given: dict[str, str], settings: Settings) -> None:
    assert Settings.from_environment(environ(**given)) == settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"KIND": "oauthToken"}, "KIND must be one of apiKey, gateway"),
        ({"SECRET": ""}, "SECRET must be the folder"),
        ({"URL": "ftp://gateway.example"}, "URL must be http"),
        ({"URL": "https://user:word@gateway.example"}, "URL must be http"),
        ({"URL": "https://gateway.example/?a=b"}, "URL must be http"),
        ({"URL": "https://gateway.example:0x1"}, "URL must be http"),
        ({"URL": "https://gateway.example/ a"}, "URL must be http"),
        ({"URL": "gateway.example"}, "URL must be http"),
    ],
)
def test_what_it_refuses(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.from_environment(environ(**given))
