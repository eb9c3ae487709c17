"""NATS' address and credentials, as a user writes them."""

from pathlib import Path

import pytest

from jelmore_bus import Access, AccessError, Tls

LOGINS = {
    "user and password": ("nats://me:p%40ss@h", {"user": "me", "password": "p@ss"}),
    "a token": ("nats://t%2Fk@h:1", {"token": "t/k"}),
    "nothing": ("nats://h", {}),
    "the first of several": ("nats://me:x@a,nats://b", {"user": "me", "password": "x"}),
}


@pytest.mark.parametrize("case", LOGINS)
def test_who_the_url_logs_in(case: str) -> None:
    url, login = LOGINS[case]
    options = Access(url).options()
    servers = options.pop("servers")
    assert options == login
    assert not any("@" in server for server in servers)


def test_addresses_have_no_secrets_and_every_port() -> None:
    access = Access("tls://me:secret@a:5, b ,nats://[::1]")
    assert access.addresses == ["tls://a:5", "nats://b:4222", "nats://[::1]:4222"]
    assert access.demands_tls
    assert "secret" not in repr(access)
    assert not Access("nats://a").demands_tls
    assert Access("nats://a", tls=Tls(ca="/ca")).demands_tls


@pytest.mark.parametrize("url", ["http://h", "nats://", "nats://me:sec/ret@h", "nats://h:secret", "nats://a,,b"])
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(AccessError, match="nats://HOST:4222") as refused:
        Access(url).options()
    assert "sec" not in str(refused.value).replace("NATS' URL is none", "")


FILES = {
    "a seed": ("SUABC\n", "nkeys_seed"),
    "user and password": ("SU:x:y\n", "password"),
    "a token": ("abc", "token"),
    "credentials": ("-----BEGIN NATS USER JWT-----\neyJ\n", "user_credentials"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_of_credentials_holds(tmp_path: Path, case: str) -> None:
    text, option = FILES[case]
    file = tmp_path / "login"
    file.write_text(text)
    assert option in Access("nats://h", str(file)).options()


@pytest.mark.parametrize("text", ["", "two words", "a\nb\n"])
def test_a_file_that_holds_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "login"
    file.write_text(text)
    with pytest.raises(AccessError, match="holds no credentials for NATS: it must be"):
        Access("nats://h", str(file)).options()


def test_files_that_are_not_there_or_no_certificates(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="/nowhere cannot be read"):
        Access("nats://h", "/nowhere").options()
    file = tmp_path / "ca"
    file.write_text("no certificate")
    with pytest.raises(AccessError, match="JELMORE_NATS_CA: no certificate"):
        Access("nats://h", tls=Tls(ca=str(file))).options()
