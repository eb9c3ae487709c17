import json
from pathlib import Path

import pytest

from jelmore.config import Target, find_target
from jelmore.problems import InvalidRequest, JelmoreError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder in which Jelmore runs."""
    (tmp_path / "endpoints.json").write_text(json.dumps({"api": {"url": "http://127.0.0.1:8123"}}))
    return tmp_path


@pytest.mark.parametrize(
    ("option", "environ", "url"),
    [
        ("http://a:1/", {"JELMORE_URL": "http://b"}, "http://a:1"),
        (None, {"JELMORE_URL": "https://b/jelmore/"}, "https://b/jelmore"),
        (None, {}, "http://127.0.0.1:8123"),
        (None, {"JELMORE_URL": ""}, "http://127.0.0.1:8123"),
        (None, {"JELMORE_HOME": "/nowhere"}, "http://127.0.0.1:8000"),
    ],
)
def test_the_nearest_address_wins(home: Path, option: str | None, environ: dict[str, str], url: str) -> None:
    assert find_target(option, {"JELMORE_HOME": str(home), **environ}) == Target(url)


def test_without_a_folder_it_is_that_of_the_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    home.rename(home.parent / ".jelmore")
    assert find_target(None, {}).url == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://a", "http://", "http://a:99999", "http://a?b", "http://u:p@a", "http://[::1", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    if url:
        with pytest.raises(InvalidRequest, match=r"^url is no address"):
            find_target(url, {})
        with pytest.raises(InvalidRequest, match=r"^JELMORE_URL is no address"):
            find_target(None, {"JELMORE_URL": url})
    else:
        assert find_target(url, {"JELMORE_HOME": "/nowhere"}).url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"api": null}', '{"api": {"url": 1}}', '{"api": {"url": "x"}}'])
def test_a_broken_file_is_named(home: Path, text: str) -> None:
    (home / "endpoints.json").write_text(text)
    with pytest.raises(JelmoreError, match=r"endpoints\.json"):
        find_target(None, {"JELMORE_HOME": str(home)})


def test_the_token_is_sent_but_never_shown() -> None:
    target = find_target("http://a", {"JELMORE_TOKEN": "a-long-secret-of-mine"})
    assert target.headers == {"Authorization": "Bearer a-long-secret-of-mine"}
    assert "secret" not in repr(target)
    with pytest.raises(InvalidRequest) as refused:
        find_target("http://a", {"JELMORE_TOKEN": "secret\nHost: b"})
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:8000", True), ("http://localhost", True), ("http://[::1]:1", True), ("https://a.b", False)],
)
def test_a_proxy_never_gets_between_this_machine_and_itself(url: str, here: bool) -> None:
    assert Target(url).on_this_machine is here


@pytest.mark.parametrize(("url", "stream"), [("http://a:1", "ws://a:1/s"), ("https://a/b", "wss://a/b/s")])
def test_the_stream_is_at_the_same_place(url: str, stream: str) -> None:
    assert Target(url).stream_url("/s") == stream
