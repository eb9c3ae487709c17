"""Sessions with a repository on one machine: cloned before the CLI starts, by the supervisor, from a real server."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jelmore_contract.resource import RETRY_AT, SessionStatus
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import SessionKey
from jelmore_operator.reconcile.policies.failure import ADVICE
from tests.support.git_server import TOKEN, GitServer, git
from tests.support.supervised import Supervised, eventually, supervising, supervisor_process


@pytest.fixture
def url(git_server: GitServer) -> str:
    """Of a public repository."""
    git_server.make("public/a.git")
    return f"{git_server.url}/public/a.git"


@pytest.fixture
def held(git_server: GitServer) -> Iterator[GitServer]:
    """It answers nothing until it is let."""
    git_server.held.clear()
    yield git_server
    git_server.held.set()


def ready(status: SessionStatus) -> tuple[str, str, str]:
    found = next(condition for condition in status.conditions if condition.type == "WorkspaceReady")
    return found.status, found.reason, found.message


def workspace(url: str, **git: Any) -> dict[str, Any]:
    return {"git": {"url": url, **git}}


def secret(supervised: Supervised, name: str, **files: str) -> None:
    folder = supervised.settings.home / "secrets" / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in files.items():
        (folder / key).write_text(text)


def cloning(supervised: Supervised, key: SessionKey) -> list[int]:
    """Processes of the clone, git's own included."""
    return supervised.processes(key)


async def test_it_is_cloned_before_claude_starts_and_holds_nobody_up(
    supervised: Supervised, url: str, held: GitServer
) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url))
        status = await supervised.until(key, lambda status: bool(status.message))
        assert (status.state, status.message) == (SessionState.PENDING, f"Cloning {url}.")
        await eventually(lambda: held.requests)
        assert not (supervised.folder(key) / "launcher.pid").exists()
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        assert ready(await supervised.status(key)) == ("False", "Cloning", "")
        held.held.set()
        status = await supervised.until_turn(key, 1)
        assert (status.message, ready(status)) == (None, ("True", "Found", ""))
        folder = supervised.folder(key) / "workspace"
        assert (folder / "README.md").read_text() == "main 1\n"
        assert git(folder, "remote", "get-url", "origin") == url
    assert (await supervised.states(key))[0] == "active"
    # What Claude has made of it by the next run is left as it is.
    (supervised.folder(key) / "workspace/README.md").write_text("changed")
    async with supervising(supervised.settings):
        await supervised.input(key, "again")
        await supervised.until_turn(key, 2)
        assert (supervised.folder(key) / "workspace/README.md").read_text() == "changed"


async def test_what_cannot_be_cloned_fails_once_until_something_changes(supervised: Supervised, url: str) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url, ref="nope"))
        status = await supervised.until_state(key, SessionState.FAILED)
        problem = f"{url} has no branch or tag nope: change the ref."
        assert status.message == f"{problem} {ADVICE}"
        assert ready(status) == ("False", "CloneFailed", problem)
        tried = (supervised.folder(key) / "clone.json").read_bytes()

        await supervised.input(key, "once more")
        await eventually(lambda: (supervised.folder(key) / "clone.json").read_bytes() != tried)
        await supervised.until_state(key, SessionState.FAILED)
        assert (await supervised.states(key)) == ["failed", "pending", "failed"]

        await supervised.change(key, {"workspace": workspace(url, ref="topic")})
        status = await supervised.until_turn(key, 2)
        assert (supervised.folder(key) / "workspace/README.md").read_text() == "topic 2\n"
    assert (await supervised.states(key))[:4] == ["failed", "pending", "failed", "pending"]


async def test_a_retry_is_another_try(supervised: Supervised, url: str, git_server: GitServer) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url.replace("a.git", "b.git")))
        await supervised.until_state(key, SessionState.FAILED)
        git_server.make("public/b.git")
        annotations = {RETRY_AT: datetime.now(UTC).isoformat()}
        metadata = supervised.seen[key].metadata.model_copy(update={"annotations": annotations})
        await supervised.put(key, supervised.seen[key].model_copy(update={"metadata": metadata}))
        await supervised.until_turn(key, 1)


async def test_a_failure_is_not_tried_again_by_itself(supervised: Supervised, url: str, git_server: GitServer) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(f"{url}x"))
        await supervised.until_state(key, SessionState.FAILED)
        tried = (supervised.folder(key) / "clone.json").read_bytes()
    async with supervising(supervised.settings):
        # Whoever comes after it has passed every session, this one too.
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        assert (await supervised.status(key)).state is SessionState.FAILED
        assert (supervised.folder(key) / "clone.json").read_bytes() == tried


async def test_a_private_repository_by_a_folder_of_secrets(supervised: Supervised, git_server: GitServer) -> None:
    git_server.make("private/a.git")
    url = f"{git_server.url}/private/a.git"
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url, secretName="work"))
        status = await supervised.until_state(key, SessionState.FAILED)
        folder = supervised.settings.home / "secrets/work"
        assert status.message == f"the folder {folder} has no password, which {url} needs. {ADVICE}"
        secret(supervised, "work", username="tester", password=TOKEN)
        await supervised.input(key, "now")
        await supervised.until_turn(key, 1)
        for path in supervised.folder(key).rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
        for pid in supervised.processes(key):
            for file in ("cmdline", "environ"):
                assert TOKEN.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
    assert TOKEN not in str(await supervised.events(key))


async def test_a_clone_that_is_killed_is_done_again(supervised: Supervised, url: str, held: GitServer) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url))
        await eventually(lambda: held.requests)
        supervised.kill_all(key)
        await eventually(lambda: held.requests > 1)
        held.held.set()
        await supervised.until_turn(key, 1)
    assert (await supervised.states(key))[0] == "active"


async def test_the_next_supervisor_finds_the_clone(supervised: Supervised, url: str, held: GitServer) -> None:
    with supervisor_process(supervised.settings) as first:
        key = await supervised.create(query="hello", workspace=workspace(url))
        await eventually(lambda: held.requests)
        first.kill()
    before = cloning(supervised, key)
    async with supervising(supervised.settings):
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        assert cloning(supervised, key) == before
        held.held.set()
        await supervised.until_turn(key, 1)
        assert held.requests == 3  # what there is, refs, objects: once


async def test_another_url_takes_the_place_of_the_first(supervised: Supervised, url: str, held: GitServer) -> None:
    held.make("public/b.git")
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url))
        await eventually(lambda: held.requests)
        await supervised.change(key, {"workspace": workspace(url.replace("a.git", "b.git"))})
        await eventually(lambda: held.requests > 1)
        held.held.set()
        await supervised.until_turn(key, 1)
        folder = supervised.folder(key) / "workspace"
        assert git(folder, "remote", "get-url", "origin").endswith("b.git")


@pytest.mark.parametrize("end", ["delete", "suspend", "stop"])
async def test_a_clone_ends_with_its_session(supervised: Supervised, url: str, held: GitServer, end: str) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace=workspace(url))
        await eventually(lambda: held.requests)
        begin = time.monotonic()
        if end == "delete":
            await supervised.delete(key)
            await supervised.until_gone(key)
            assert not supervised.folder(key).exists()
        elif end == "suspend":
            await supervised.suspend(key, True)
            await supervised.until_state(key, SessionState.HIBERNATED)
            held.held.set()
            await supervised.suspend(key, False)
            await supervised.until_turn(key, 1)
    assert time.monotonic() - begin < 15
    assert supervised.processes(key) == []


async def test_a_session_that_is_kept_leaves_its_workspace(supervised: Supervised, url: str) -> None:
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace={**workspace(url), "retain": True})
        await supervised.until_turn(key, 1)
        await supervised.delete(key)
        await supervised.until_gone(key)
        folder = supervised.folder(key)
        assert (folder / "workspace/README.md").read_text() == "main 1\n"
        assert sorted(path.name for path in folder.iterdir()) == ["cloned", "workspace"]
    events = await supervised.events(key)
    changed = [payload for kind, payload in events if kind == "session.state_changed"]
    assert changed[-1]["to"] == "terminated"
    assert changed[-1]["message"] == f"The workspace is kept: {folder / 'workspace'}."
