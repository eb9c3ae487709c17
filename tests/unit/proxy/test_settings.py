"""What the key proxy takes from its environment, and refuses."""

import pytest

from jelmore_proxy.settings import Upstream

TOKEN = "sk-ant-canary"


def environ(**more: str) -> dict[str, str]:
    given = {"KIND": "apiKey", "TOKEN": TOKEN} | more
    return {f"JELMORE_UPSTREAM_{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("given", "url", "credential"),
    [
        ({}, "https://api.anthropic.com", ("x-api-key", TOKEN)),
        ({"URL": "", "TOKEN": f"{TOKEN}\n"}, "https://api.anthropic.com", ("x-api-key", TOKEN)),
        (
            {"KIND": "gateway", "URL": "https://gateway.example/anthropic/"},
            "https://gateway.example/anthropic",
            ("Authorization", f"Bearer {TOKEN}"),
        ),
    ],
)
def test_what_it_takes(given: dict[str, str], url: str, credential: tuple[str, str]) -> None:
    upstream = Upstream.from_environment(environ(**given))
    assert (upstream.url, upstream.credential) == (url, credential)
    assert TOKEN not in repr(upstream)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"KIND": "oauthToken"}, "KIND must be one of apiKey, gateway"),
        ({"TOKEN": " "}, "TOKEN must be the token"),
        ({"TOKEN": f"{TOKEN}\nx: y"}, "TOKEN must be the token"),
        ({"TOKEN": f"{TOKEN}é"}, "TOKEN must be the token"),
        ({"URL": "ftp://gateway.example"}, "URL must be http"),
        ({"URL": "https://user:word@gateway.example"}, "URL must be http"),
        ({"URL": "https://gateway.example/?a=b"}, "URL must be http"),
        ({"URL": "gateway.example"}, "URL must be http"),
    ],
)
def test_what_it_refuses(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        Upstream.from_environment(environ(**given))
    assert TOKEN not in str(refused.value)
