"""The clone of a repository, as the program that it is: real servers, real git, real ssh."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import asyncssh
import pytest

from jelmore_agent.clone.git import Git
from jelmore_agent.clone.job import CloneError, Job
from tests.support.git_server import TOKEN, USER, GitServer, Repository, git, serving
from tests.support.processes import wait_for
from tests.support.ssh_server import SshServer


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """As a session's is before its first run."""
    (tmp_path / "volume/workspace").mkdir(parents=True, mode=0o750)
    return tmp_path / "volume"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "username").write_text(USER)
    (folder / "password").write_text(f"{TOKEN}\n")
    return folder


def start(url: str, volume: Path, *options: str, environment: Mapping[str, str] = {}) -> "subprocess.Popen[str]":
    files = ("--volume", str(volume), "--result", str(volume.parent / "result"), "--secret-name", "the Secret s")
    command = (sys.executable, "-I", "-m", "jelmore_agent.clone", "--url", url, *files, *options)
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def clone(url: str, volume: Path, *options: str, environment: Mapping[str, str] = {}) -> str:
    """The reason why it failed; "" for none."""
    process = start(url, volume, *options, environment=environment)
    said = process.communicate(timeout=60)[1]
    if process.returncode == 0:
        assert said == ""
        return ""
    assert process.returncode == 1, said
    message = (volume.parent / "result").read_text()
    assert said == f"clone: {message}\n"
    return message


def head(volume: Path) -> str:
    return git(volume / "workspace", "rev-parse", "HEAD")


def commits(volume: Path) -> int:
    return len(git(volume / "workspace", "log", "--format=%h").splitlines())


def test_the_default_branch_with_all_its_history(volume: Path, git_server: GitServer) -> None:
    repository = git_server.make("public/a.git")
    assert clone(f"{git_server.url}/public/a.git", volume) == ""
    workspace = volume / "workspace"
    assert (head(volume), commits(volume)) == (repository.main, 2)
    assert git(workspace, "branch", "--show-current") == "main"
    assert git(workspace, "status", "--porcelain") == ""
    assert git(workspace, "rev-parse", "origin/topic") == repository.topic
    assert workspace.stat().st_mode & 0o777 == 0o750
    assert list((workspace / ".git/hooks").glob("*") if (workspace / ".git/hooks").exists() else []) == []


@pytest.mark.parametrize("depth", [(), ("--depth", "1")])
@pytest.mark.parametrize("name", ["branch", "tag", "commit", "commit on no branch"])
def test_a_ref(name: str, depth: tuple[str, ...], volume: Path, git_server: GitServer) -> None:
    repository = git_server.make("public/a.git")
    ref, wanted = {
        "branch": ("topic", repository.topic),
        "tag": ("v1", repository.topic),
        "commit": (repository.first, repository.first),
        "commit on no branch": (repository.hidden, repository.hidden),
    }[name]
    assert clone(f"{git_server.url}/public/a.git", volume, "--ref", ref, *depth) == ""
    assert head(volume) == wanted
    history = {repository.first: 1, repository.topic: 3, repository.hidden: 3}[wanted]
    assert commits(volume) == (1 if depth else history)
    assert git(volume / "workspace", "branch", "--show-current") == ("topic" if name == "branch" else "")


def test_a_private_one_by_token_which_is_left_nowhere(volume: Path, secret: Path, git_server: GitServer) -> None:
    repository = git_server.make("private/a.git")
    process = start(f"{git_server.url}/private/a.git", volume, "--secret", str(secret))
    git_server.held.clear()
    wait_for(lambda: git_server.requests > 0)
    for entry in Path("/proc").glob("[0-9]*"):
        assert TOKEN.encode() not in _of_process(entry), entry
    git_server.held.set()
    assert process.communicate(timeout=60)[1] == ""
    assert head(volume) == repository.main
    assert {given for _, given in git_server.seen} == {f"{USER}:{TOKEN}"}
    for path in volume.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert git(volume / "workspace", "config", "--local", "--list").count("credential") == 0


def _of_process(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
    except OSError:
        return b""


def test_a_token_needs_no_user(volume: Path, secret: Path, git_server: GitServer) -> None:
    git_server.make("public/a.git")
    (secret / "username").unlink()
    git_server.make("private/a.git")
    assert "refuses username and password" in clone(f"{git_server.url}/private/a.git", volume, "--secret", str(secret))
    assert git_server.seen[0][1] == f"git:{TOKEN}"


def test_a_token_goes_to_no_other_server(volume: Path, secret: Path, git_server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as other:
        git_server.redirect = other.url
        message = clone(f"{git_server.url}/private/a.git", volume, "--secret", str(secret))
        assert other.requests > 0
        assert other.seen == []
    assert "refuses" in message


FAILURES = {
    "no such repository": (
        "/public/b.git",
        (),
        "there is no such repository, or it may not be seen",
    ),
    "private": (
        "/private/a.git",
        (),
        "or it is private: check the url, or name the Secret",
    ),
    "no such branch": ("/public/a.git", ("--ref", "nope"), "/public/a.git has no branch or tag nope: change the ref."),
    "a hash cut short": ("/public/a.git", ("--ref", "706e25c"), "change the ref. A commit needs its whole hash."),
    "no such commit": ("/public/a.git", ("--ref", "1" * 40), f"has no commit {'1' * 40}, or does not hand it out"),
    "no such commit, and no history": ("/public/a.git", ("--ref", "1" * 40, "--depth", "1"), "has no commit"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_fails_says_what_to_do(case: str, volume: Path, git_server: GitServer) -> None:
    git_server.make("public/a.git")
    git_server.make("private/a.git")
    path, options, message = FAILURES[case]
    assert message in clone(f"{git_server.url}{path}", volume, *options)
    assert list((volume / "workspace").iterdir()) == []
    # Once it is put right, it is cloned.
    assert clone(f"{git_server.url}/public/a.git", volume) == ""


def test_a_token_that_is_refused_is_not_repeated(volume: Path, secret: Path, git_server: GitServer) -> None:
    (secret / "password").write_text("another-token")
    message = clone(f"{git_server.url}/private/a.git", volume, "--secret", str(secret))
    assert message == (
        f"{git_server.url}/private/a.git: the server refuses username and password of the Secret s: put a token there "
        "that may read it."
    )


def test_a_secret_without_its_keys(volume: Path, tmp_path: Path, git_server: GitServer) -> None:
    url = f"{git_server.url}/private/a.git"
    message = clone(url, volume, "--secret", str(tmp_path / "nothing"))
    assert message == f"the Secret s has no password, which {url} needs."


def test_a_server_that_cannot_be_reached(volume: Path) -> None:
    assert "127.0.0.1:1/a: the server cannot be reached, or broke off" in clone("http://127.0.0.1:1/a", volume)


def test_a_server_that_is_away_for_a_moment(volume: Path, git_server: GitServer) -> None:
    git_server.make("public/a.git")
    git_server.refusing = 503
    process = start(f"{git_server.url}/public/a.git", volume)
    wait_for(lambda: git_server.requests > 0)
    git_server.refusing = None
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0


def test_one_that_was_killed_is_done_again(volume: Path, git_server: GitServer) -> None:
    repository = git_server.make("public/a.git")
    url = f"{git_server.url}/public/a.git"
    git_server.held.clear()
    process = start(url, volume)
    wait_for(lambda: (volume / "clone/.git").exists() and git_server.requests > 0)
    process.kill()
    process.communicate()
    git_server.held.set()
    (volume / "clone/left").write_text("behind")
    assert clone(url, volume) == ""
    assert head(volume) == repository.main
    assert sorted(path.name for path in (volume / "workspace").iterdir()) == [".git", "README.md"]
    assert sorted(path.name for path in volume.iterdir()) == ["cloned", "workspace"]


def test_one_that_was_killed_in_its_last_step_is_finished(volume: Path, git_server: GitServer) -> None:
    git_server.make("public/a.git")
    url = f"{git_server.url}/public/a.git"
    assert clone(url, volume) == ""
    (volume / "workspace").rename(volume / "clone")
    (volume / "workspace").mkdir()
    asked = git_server.requests
    assert clone(url, volume) == ""
    assert (volume / "workspace/README.md").exists()
    assert git_server.requests == asked


def test_what_was_cloned_once_is_left_alone(volume: Path, git_server: GitServer) -> None:
    git_server.make("public/a.git")
    assert clone(f"{git_server.url}/public/a.git", volume) == ""
    for path in (volume / "workspace").iterdir():
        subprocess.run(("rm", "-rf", str(path)), check=True)
    assert clone(f"{git_server.url}/public/other.git", volume) == ""
    assert list((volume / "workspace").iterdir()) == []


def test_what_was_cloned_needs_its_secret_no_more(volume: Path, secret: Path, git_server: GitServer) -> None:
    git_server.make("private/a.git")
    url = f"{git_server.url}/private/a.git"
    assert clone(url, volume, "--secret", str(secret)) == ""
    (secret / "password").unlink()
    assert clone(url, volume, "--secret", str(secret)) == ""


def test_nothing_is_cloned_over_what_is_there(volume: Path, git_server: GitServer) -> None:
    (volume / "workspace/mine").write_text("text")
    assert clone(f"{git_server.url}/public/a.git", volume) == (
        "The workspace is not empty, and nothing is cloned over what is in it."
    )
    assert git_server.requests == 0


def test_sigterm_ends_git_too(volume: Path, git_server: GitServer) -> None:
    git_server.held.clear()
    process = start(f"{git_server.url}/public/a.git", volume)
    wait_for(lambda: git_server.requests > 0)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    wait_for(lambda: not _cloning(volume))


def _cloning(volume: Path) -> bool:
    return any(str(volume).encode() in _of_process(entry) for entry in Path("/proc").glob("[0-9]*"))


def test_what_takes_too_long_is_ended(volume: Path, git_server: GitServer) -> None:
    git_server.held.clear()
    job = Job(f"{git_server.url}/public/a.git", None, None, volume, None, "")
    with pytest.raises(CloneError, match="was not cloned in time: set depth"):
        Git(job, time.monotonic() + 0.5).clone(volume / "workspace")
    wait_for(lambda: not _cloning(volume))


def test_no_configuration_of_the_machine_counts(volume: Path, git_server: GitServer, tmp_path: Path) -> None:
    git_server.make("public/a.git")
    home, hooks = tmp_path / "home", tmp_path / "home/hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hooks / "post-checkout").chmod(0o755)
    config = f'[core]\n hooksPath = {hooks}\n[init]\n templateDir = {home}\n[url "http://127.0.0.1:1/"]\n insteadOf = http://\n'
    (home / ".gitconfig").write_text(config)
    environment = {"HOME": str(home), "GIT_TEMPLATE_DIR": str(home), "GIT_CONFIG_PARAMETERS": "'core.bare=true'"}
    environment |= {"GIT_ASKPASS": str(hooks / "post-checkout"), "GIT_SSH": str(hooks / "post-checkout")}
    assert clone(f"{git_server.url}/public/a.git", volume, environment=environment) == ""
    assert not (tmp_path / "ran").exists()


def test_submodules_are_not_fetched(volume: Path, git_server: GitServer, tmp_path: Path) -> None:
    inner, outer = git_server.make("public/inner.git"), git_server.make("public/outer.git")
    work = outer.path.with_suffix(".work")
    git(work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.path), "inner")
    git(work, "commit", "-q", "-m", "a submodule")
    git(work, "push", "-q", str(outer.path), "main")
    assert clone(f"{git_server.url}/public/outer.git", volume) == ""
    assert list((volume / "workspace/inner").iterdir()) == []


@pytest.mark.parametrize("url", ["ext::sh -c 'touch ran'", "file:///etc"])
def test_other_protocols_are_shut_off(url: str, volume: Path, tmp_path: Path) -> None:
    """Of what a repository or a server may name, too."""
    job = Job("https://example.invalid/a", None, None, volume, None, "")
    allowed = Git(job, time.monotonic() + 20)
    with pytest.raises(CloneError, match="not allowed"):
        allowed._run("ls-remote", url)


def test_without_git(volume: Path, tmp_path: Path) -> None:
    message = clone("https://example.invalid/a", volume, environment={"PATH": str(tmp_path)})
    assert message == "git is not installed here: install it, for instance with `apt install git`."


def test_a_repository_of_this_machine(volume: Path, git_server: GitServer) -> None:
    repository: Repository = git_server.make("public/a.git")
    assert clone(f"file://{repository.path}", volume) == ""
    assert head(volume) == repository.main
    # No hard links: what Claude does to the clone's objects does not reach the repository.
    assert all(path.stat().st_nlink == 1 for path in (volume / "workspace/.git/objects").rglob("*") if path.is_file())


def test_by_ssh(volume: Path, ssh_server: SshServer, tmp_path: Path) -> None:
    repository = ssh_server.make("a.git")
    key = ssh_server.secret(tmp_path / "key")
    assert clone(ssh_server.url("a.git"), volume, "--secret", str(key), "--ref", "topic") == ""
    assert head(volume) == repository.topic
    for path in volume.rglob("*"):
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes(), path


def _another_key(key: Path) -> None:
    (key / "ssh-privatekey").write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())


def _another_host_key(key: Path) -> None:
    host, _, _ = (key / "known_hosts").read_text().partition(" ")
    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (key / "known_hosts").write_text(f"{host} {public}")


def _protected(key: Path) -> None:
    file = str(key / "ssh-privatekey")
    subprocess.run(("ssh-keygen", "-q", "-p", "-N", "a-passphrase", "-f", file), check=True, stdout=subprocess.DEVNULL)


SSH_FAILURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a host that is not known": (lambda key: (key / "known_hosts").write_text(""), "a host key that known_hosts of"),
    "another host key": (_another_host_key, "a host key that known_hosts of the Secret s does not have"),
    "no known_hosts": (lambda key: (key / "known_hosts").unlink(), "the Secret s has no known_hosts, which ssh://git@"),
    "no key": (lambda key: (key / "ssh-privatekey").unlink(), "the Secret s has no ssh-privatekey, which ssh://git@"),
    "another key": (_another_key, "the server refuses the key of the Secret s: it must be without"),
    "a key that others may read": (lambda key: (key / "ssh-privatekey").chmod(0o644), "`chmod 600` the file"),
    "no key at all": (lambda key: (key / "ssh-privatekey").write_text("x\n"), "it must be a whole private key"),
    "a key with a passphrase": (
        _protected,
        "of the Secret s: it must be without a passphrase",
    ),
}


@pytest.mark.parametrize("case", SSH_FAILURES)
def test_what_fails_with_ssh(case: str, volume: Path, ssh_server: SshServer, tmp_path: Path) -> None:
    ssh_server.make("a.git")
    key = ssh_server.secret(tmp_path / "key")
    spoil, message = SSH_FAILURES[case]
    spoil(key)
    said = clone(ssh_server.url("a.git"), volume, "--secret", str(key))
    assert message in said
    assert "PRIVATE KEY" not in said


def test_no_such_repository_by_ssh(volume: Path, ssh_server: SshServer, tmp_path: Path) -> None:
    key = ssh_server.secret(tmp_path / "key")
    assert "there is no such repository" in clone(ssh_server.url("b.git"), volume, "--secret", str(key))
