"""What may be cloned: which urls and refs are taken, and what is said of the others."""

from typing import Any

import pytest
from pydantic import ValidationError

from jelmore_contract.resource import Commits, Git, SessionSpec, local_path

HASH = "706e25c3a1d9e3f1a2b4c5d6e7f8091a2b3c4d5e"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/owner/name.git",
        "https://git.example.com:8443/a/b@c",
        "http://127.0.0.1:8080/r.git",
        "https://[::1]:8443/r",
        "ssh://git@github.com/owner/name.git",
        "ssh://git@host:2222/srv/r.git",
        "git@github.com:owner/name.git",
        "file:///srv/repositories/r.git",
    ],
)
def test_what_may_be_cloned(url: str) -> None:
    assert Git(url=url, secret_name="s").url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://token@github.com/a/b", "must hold no user, password or token: keep them in a Secret"),
        ("https://user:token@github.com/a/b", "must hold no user, password or token"),
        ("ssh://git:password@host/a", "must hold no user, password or token"),
        *((url, "must be https://HOST/PATH") for url in ("", "ext::sh -c true", "-u", "--upload-pack=x", "/srv/r.git")),
        *(
            (url, "must be https://HOST/PATH")
            for url in ("file://host/r", "file:///a b", "git://host/a", "https://host")
        ),
        *((url, "must be https://HOST/PATH") for url in ("https://-host/a", "ssh://-oProxyCommand=x/a", "-x@h:a")),
        *(
            (url, "must be https://HOST/PATH")
            for url in ("git@-oProxyCommand=x:a", "git@host:-x", "https://h/a?token=t")
        ),
        *(
            (url, "must be https://HOST/PATH")
            for url in ("https://h/a#b", "https://h/a\nb", "https://h/a ", "HTTPS://h/a")
        ),
        ("a" * 2049, "at most 2048 characters"),
    ],
)
def test_what_may_not(url: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Git(url=url, secret_name="s")
    assert any(message in error["msg"] or error["type"] == "string_too_short" for error in refused.value.errors())


def test_ssh_needs_a_key() -> None:
    for url in ("git@host:a", "ssh://git@host/a"):
        with pytest.raises(ValidationError, match="needs a Secret with the keys ssh-privatekey and known_hosts"):
            Git(url=url)


@pytest.mark.parametrize("ref", ["main", "feature/x-1", "v1.0+2", "größe", HASH])
def test_refs(ref: str) -> None:
    assert Git(url="https://h/a", ref=ref).ref == ref


@pytest.mark.parametrize("ref", ["", "-b", "+main", "a b", "a:b", "a~1", "a^", "a*", "a\\b", "a\x00", "@[x", "a?"])
def test_what_is_no_ref(ref: str) -> None:
    with pytest.raises(ValidationError):
        Git(url="https://h/a", ref=ref)


@pytest.mark.parametrize("depth", [0, -1, 1_000_001])
def test_what_is_no_depth(depth: int) -> None:
    with pytest.raises(ValidationError):
        Git(url="https://h/a", depth=depth)


@pytest.mark.parametrize("name", ["", "A <a@b>", "A\nB"])
def test_what_no_commit_can_name(name: str) -> None:
    for field in ("name", "email"):
        with pytest.raises(ValidationError):
            Commits.model_validate({field: name})


def test_a_workspace_is_a_folder_or_a_clone() -> None:
    workspace: dict[str, Any] = {"path": "/srv/x", "git": {"url": "https://h/a"}}
    with pytest.raises(ValidationError, match="leave one of them out"):
        SessionSpec.model_validate({"workspace": workspace})


def test_the_secrets_of_a_session() -> None:
    spec = {"credentials": {"secretName": "c"}, "workspace": {"git": {"url": "https://h/a", "secretName": "g"}}}
    assert SessionSpec.model_validate(spec).secret_names() == ["c", "g"]
    assert SessionSpec().secret_names() == []


def test_a_repository_of_this_machine() -> None:
    assert local_path("file:///srv/r.git") == "/srv/r.git"
    assert local_path("https://h/r.git") is None
