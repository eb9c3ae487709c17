"""The mounted Secret: what is read of it, when it is read again, and what is refused."""

from pathlib import Path

import pytest

from jelmore_proxy import credentials as module
from jelmore_proxy.credentials import Credentials, Unusable
from jelmore_proxy.settings import Kind, Settings
from tests.support.mounted_secret import MountedSecret

TOKEN = "sk-ant-canary"
GATEWAY = "https://gateway.example/anthropic/"


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "secret")


def of(secret: MountedSecret, kind: Kind) -> Credentials:
    return Credentials(Settings(kind, secret.folder))


def test_a_key(secret: MountedSecret) -> None:
    secret.put(apiKey=f"{TOKEN}\n")
    upstream = of(secret, Kind.API_KEY).current()
    assert (upstream.url, upstream.credential) == ("https://api.anthropic.com", ("x-api-key", TOKEN))
    assert TOKEN not in repr(upstream)


def test_a_gateway(secret: MountedSecret) -> None:
    secret.put(token=TOKEN, baseUrl=GATEWAY)
    upstream = of(secret, Kind.GATEWAY).current()
    assert (upstream.url, upstream.credential) == (GATEWAY.rstrip("/"), ("Authorization", f"Bearer {TOKEN}"))


def test_a_version_is_read_once_and_the_next_one_at_once(secret: MountedSecret) -> None:
    secret.put(token="one", baseUrl="http://one")
    credentials = of(secret, Kind.GATEWAY)
    assert {credentials.current().token for _ in range(3)} == {"one"}
    assert credentials.reads == 1
    secret.put(token="two", baseUrl="http://two")
    now = credentials.current()
    assert (now.token, now.url, credentials.reads) == ("two", "http://two", 2)


def test_a_token_and_an_address_of_two_versions_are_never_mixed(
    secret: MountedSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret.put(token="one", baseUrl="http://one")
    read = module._text

    def exchanged_in_between(file: Path) -> str:
        text = read(file)
        if text == "one":
            secret.put(token="two", baseUrl="http://two")
        return text

    monkeypatch.setattr(module, "_text", exchanged_in_between)
    now = of(secret, Kind.GATEWAY).current()
    assert (now.token, now.url) == ("two", "http://two")


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        (Kind.API_KEY, {}, "must hold apiKey"),
        (Kind.API_KEY, {"apiKey": " "}, "apiKey of the session's Secret must be the token"),
        (Kind.API_KEY, {"apiKey": f"{TOKEN}\nx: y"}, "must be the token, in one line"),
        (Kind.API_KEY, {"apiKey": f"{TOKEN}é"}, "must be the token"),
        (Kind.GATEWAY, {"token": TOKEN}, "must hold baseUrl"),
        (Kind.GATEWAY, {"token": TOKEN, "baseUrl": TOKEN}, "baseUrl of the session's Secret must be http"),
        (Kind.GATEWAY, {"token": TOKEN, "baseUrl": "http://a\r\nx: y"}, "baseUrl of the session's Secret must be http"),
    ],
)
def test_what_is_refused_until_it_is_mended(
    secret: MountedSecret, kind: Kind, files: dict[str, str], message: str
) -> None:
    secret.put(**files)
    credentials = of(secret, kind)
    for _ in range(2):
        with pytest.raises(Unusable, match=message) as refused:
            credentials.current()
        assert TOKEN not in str(refused.value)
    secret.put(apiKey=TOKEN, token=TOKEN, baseUrl=GATEWAY)
    assert credentials.current().token == TOKEN
