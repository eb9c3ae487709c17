"""What git does, done by the real git, and what is told of it."""

import shutil
from pathlib import Path

import pytest

from tests.support.workspace import Watched, git


def commit(folder: Path, name: str, text: str = "") -> None:
    (folder / name).write_text(text or name)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"add {name}")


@pytest.fixture
async def repository(watched: Watched) -> Watched:
    """A workspace under watch that is a repository with two commits on main."""
    git(watched.root, "init", "-q", "-b", "main")
    commit(watched.root, "one")
    commit(watched.root, "two")
    await watched.start()
    return watched


@pytest.fixture
async def cloned(watched: Watched, tmp_path: Path) -> tuple[Watched, Path]:
    """A workspace under watch that was cloned, and another clone from which to push."""
    origin, other = tmp_path / "origin.git", tmp_path / "other"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(origin))
    git(tmp_path, "clone", "-q", str(origin), str(other))
    commit(other, "one")
    git(other, "push", "-q", "-u", "origin", "HEAD:main")
    watched.root.rmdir()
    git(tmp_path, "clone", "-q", str(origin), str(watched.root))
    await watched.start()
    return watched, other


async def test_a_commit_is_told_once_with_all_its_fields(repository: Watched) -> None:
    before = git(repository.root, "rev-parse", "HEAD")
    commit(repository.root, "three")
    [fact] = await repository.git()
    assert {key: fact[key] for key in ("operation", "branch", "from", "to", "message", "repository", "log")} == {
        "operation": "commit",
        "branch": "main",
        "from": before,
        "to": git(repository.root, "rev-parse", "HEAD"),
        "message": "add three",
        "repository": "",
        "log": "HEAD",
    }
    assert fact["offset"] == (repository.root / ".git/logs/HEAD").stat().st_size


async def test_the_first_commit_of_a_new_repository(watched: Watched) -> None:
    await watched.start()
    git(watched.root, "init", "-q", "-b", "main")
    commit(watched.root, "one")
    [fact] = await watched.git()
    assert (fact["operation"], fact["branch"], fact["from"]) == ("commit", "main", None)
    git(watched.root, "tag", "v1")
    assert await watched.operations() == [("tag", None)]


async def test_operations_of_one_repository(repository: Watched) -> None:
    root = repository.root

    async def told(*arguments: str, fails: bool = False) -> list[tuple[str, str | None]]:
        git(root, *arguments, fails=fails)
        return await repository.operations()

    assert await told("status") == []
    assert await told("commit", "-q", "--amend", "-m", "two, better") == [("commit", "main")]
    assert await told("branch", "topic", "HEAD~1") == [("branch", "topic")]
    assert await told("checkout", "-q", "topic") == [("checkout", "topic")]
    assert await told("checkout", "-q", "topic") == []
    assert await told("checkout", "-q", "-b", "fresh") == [("branch", "fresh"), ("checkout", "fresh")]
    assert await told("branch", "-m", "fresh", "renamed") == [("branch", "renamed")]
    assert await told("checkout", "-q", "--detach", "HEAD") == [("checkout", None)]
    assert await told("switch", "-q", "topic") == [("checkout", "topic")]
    assert await told("branch", "-q", "-D", "renamed") == [("branch", "renamed")]
    assert await told("branch", "-q", "-c", "main", "copy") == [("branch", "copy")]
    assert await told("branch", "-q", "-f", "copy", "topic") == [("branch", "copy")]
    assert await told("merge", "-q", "main") == [("merge", "topic")]
    assert await told("reset", "-q", "--hard", "HEAD~1") == [("reset", "topic")]
    (root / "side").write_text("side")
    git(root, "add", "-A")
    assert await told("commit", "-q", "-m", "side") == [("commit", "topic")]
    assert await told("merge", "-q", "-m", "both", "main") == [("merge", "topic")]
    assert await told("revert", "-m", "1", "--no-edit", "HEAD") == [("revert", "topic")]
    assert await told("checkout", "-q", "main") == [("checkout", "main")]
    assert await told("cherry-pick", "topic~1^1") == [("cherry-pick", "main")]
    assert await told("rebase", "-q", "topic") == [("rebase", "main")]
    assert await told("tag", "light") == [("tag", None)]
    assert await told("tag", "-a", "-m", "text", "heavy") == [("tag", None)]
    assert await told("tag", "-d", "light") == [("tag", None)]
    assert await told("pack-refs", "--all") == []
    assert await told("gc", "-q") == []
    assert await told("reset", "-q", "--hard") == [("reset", "main")]
    assert await told("update-ref", "refs/heads/plumbed", "HEAD") == [("branch", "plumbed")]
    assert await told("switch", "-q", "--orphan", "orphan") == [("checkout", "orphan")]
    assert await told("switch", "-q", "main") == [("checkout", "main")]
    await repository.again()
    assert await repository.operations() == []


async def test_the_stash(repository: Watched) -> None:
    root = repository.root
    for number in range(3):
        (root / "one").write_text(f"changed {number}")
        git(root, "stash", "push", "-q", "-m", f"put away {number}")
        [fact] = await repository.git()
        assert (fact["operation"], fact["branch"]) == ("stash", None)
        assert fact["message"] == f"On main: put away {number}"
    git(root, "stash", "pop", "-q")
    [fact] = await repository.git()
    assert fact["operation"] == "stash"
    assert fact["to"] is None
    assert fact["from"] is not None
    git(root, "checkout", "-q", "one")
    git(root, "stash", "drop", "-q", "stash@{1}")
    await repository.again()
    assert await repository.operations() == [("stash", None)]
    git(root, "stash", "clear")
    assert await repository.operations() == [("stash", None)]


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
async def test_a_rebase_is_told_when_it_has_ended(repository: Watched, backend: str) -> None:
    root = repository.root
    git(root, "checkout", "-q", "-b", "topic", "HEAD~1")
    commit(root, "two", "otherwise")
    commit(root, "three")
    await repository.operations()
    before = git(root, "rev-parse", "HEAD")
    git(root, "rebase", backend, "main", fails=True)
    assert await repository.operations() == []
    await repository.again()
    assert await repository.operations() == []
    (root / "two").write_text("solved")
    git(root, "add", "two")
    git(root, "rebase", "--continue")
    [fact] = await repository.git()
    assert (fact["operation"], fact["branch"], fact["from"]) == ("rebase", "topic", before)
    assert fact["to"] == git(root, "rev-parse", "HEAD")
    await repository.again()
    assert await repository.operations() == []
    git(root, "reset", "-q", "--hard", before)
    git(root, "rebase", backend, "main", fails=True)
    await repository.settle()
    git(root, "rebase", "--abort")
    assert await repository.operations() == []
    git(root, "checkout", "-q", "--detach", "HEAD~1")
    git(root, "checkout", "-q", "HEAD~1")
    commit(root, "four")
    await repository.operations()
    git(root, "rebase", backend, "main")
    assert await repository.operations() == [("rebase", None)]


async def test_merge_and_cherry_pick_that_stopped_for_a_conflict(repository: Watched) -> None:
    root = repository.root
    git(root, "checkout", "-q", "-b", "topic", "HEAD~1")
    commit(root, "two", "otherwise")
    await repository.operations()
    for operation in ("merge", "cherry-pick"):
        git(root, operation, "main", fails=True)
        assert await repository.operations() == []
        (root / "two").write_text("solved")
        git(root, "commit", "-q", "-a", "--no-edit")
        assert await repository.operations() == [(operation, "topic")]
        git(root, "reset", "-q", "--hard", "HEAD~1")
        await repository.operations()


async def test_push_fetch_and_pull(cloned: tuple[Watched, Path]) -> None:
    here, other = cloned
    root = here.root

    async def told(*arguments: str) -> list[tuple[str, str | None]]:
        git(root, *arguments)
        return await here.operations()

    def elsewhere(name: str) -> None:
        git(other, "pull", "-q", "--no-rebase", "origin", "main")
        commit(other, name)
        git(other, "push", "-q", "origin", "HEAD:main")

    commit(root, "mine")
    assert await here.operations() == [("commit", "main")]
    assert await told("push", "-q") == [("push", "main")]
    elsewhere("theirs")
    assert await told("fetch", "-q") == [("fetch", "main")]
    assert await told("merge", "-q", "origin/main") == [("merge", "main")]
    elsewhere("theirs 2")
    assert await told("pull", "-q") == [("pull", "main")]
    elsewhere("theirs 3")
    commit(root, "mine 2")
    await here.operations()
    assert await told("pull", "-q", "--no-rebase", "--no-edit") == [("pull", "main")]
    elsewhere("theirs 4")
    assert await told("pull", "-q", "--rebase", "origin", "main") == [("pull", "main")]
    assert await told("push", "-q", "origin", "main:second", "main:third") == [("push", None)]
    assert await told("push", "-q", "origin", "--delete", "second") == [("push", "second")]
    git(other, "push", "-q", "origin", "--delete", "third")
    git(other, "tag", "v1")
    git(other, "push", "-q", "origin", "v1", "HEAD:a", "HEAD:b")
    assert await told("fetch", "-q", "--prune") == [("fetch", None)]
    git(other, "tag", "v2")
    git(other, "push", "-q", "origin", "v2")
    assert await told("fetch", "-q", "--tags") == [("fetch", None)]
    assert await told("fetch", "-q") == []
    assert await told("fetch", "-q", "origin", "a:local") == [("fetch", "local")]
    await here.again()
    assert await here.operations() == []


async def test_a_clone_is_one_activity(watched: Watched, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    git(tmp_path, "init", "-q", "-b", "main", str(origin))
    commit(origin, "one")
    git(origin, "tag", "v1")
    git(origin, "branch", "side")
    await watched.start()
    git(watched.root, "clone", "-q", f"file://user:secret@localhost{origin}", "copy")
    [fact] = await watched.git()
    assert (fact["operation"], fact["branch"], fact["repository"]) == ("clone", "main", "copy")
    assert "secret" not in repr(watched.facts)
    commit(watched.root / "copy", "two")
    [fact] = await watched.git()
    assert (fact["operation"], fact["repository"]) == ("commit", "copy")
    await watched.again()
    assert await watched.operations() == []
    git(watched.root / "copy", "tag", "v2")
    assert await watched.operations() == [("tag", None)]


async def test_a_repository_that_is_moved_in_or_about_brings_no_past(watched: Watched, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "init", "-q", "-b", "main", str(elsewhere))
    git(elsewhere, "-c", "user.name=x", "commit", "-q", "--allow-empty", "-m", "old")
    log = elsewhere / ".git/logs/HEAD"
    log.write_text(log.read_text().replace("> 1", "> 0"))
    await watched.start()
    shutil.move(elsewhere, watched.root / "here")
    assert await watched.operations() == []
    commit(watched.root / "here", "new")
    assert await watched.operations() == [("commit", "main")]
    (watched.root / "here").rename(watched.root / "there")
    assert await watched.operations() == []
    shutil.copytree(watched.root / "there", watched.root / "copy")
    assert await watched.operations() == []
    commit(watched.root / "copy", "newer")
    assert [fact["repository"] for fact in await watched.git()] == ["copy"]
    await watched.again()
    assert await watched.operations() == []


async def test_a_repository_that_is_made_anew(repository: Watched) -> None:
    shutil.rmtree(repository.root / ".git")
    git(repository.root, "init", "-q", "-b", "main")
    commit(repository.root, "anew")
    assert await repository.operations() == [("commit", "main")]
    (repository.root / ".git").rename(repository.root / "old")
    git(repository.root, "init", "-q", "-b", "main")
    git(repository.root, "commit", "-q", "--allow-empty", "-m", "again")
    assert await repository.operations() == [("commit", "main")]


async def test_worktrees_and_submodules(repository: Watched, tmp_path: Path) -> None:
    root = repository.root
    git(root, "worktree", "add", "-q", "-b", "side", "trees/side")
    assert await repository.operations() == [("branch", "side")]
    commit(root / "trees/side", "within")
    [fact] = await repository.git()
    assert (fact["operation"], fact["branch"], fact["repository"]) == ("commit", "side", "trees/side")
    git(root, "worktree", "remove", "--force", "trees/side")
    assert await repository.operations() == []
    library = tmp_path / "library"
    git(tmp_path, "init", "-q", "-b", "main", str(library))
    commit(library, "lib")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    assert [(fact["operation"], fact["repository"]) for fact in await repository.git()] == [("clone", "lib")]
    commit(root / "lib", "more")
    assert [(fact["operation"], fact["repository"]) for fact in await repository.git()] == [("commit", "lib")]
    await repository.again()
    assert await repository.operations() == []


async def test_a_repository_outside_is_not_looked_at(watched: Watched, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    git(tmp_path, "init", "-q", "-b", "main", str(outside))
    commit(outside, "one")
    (watched.root / ".git").write_text(f"gitdir: {outside}/.git\n")
    (watched.root / "up").mkdir()
    (watched.root / "up/.git").write_text("gitdir: ../../outside/.git\n")
    (watched.root / "link").mkdir()
    (watched.root / "link/.git").symlink_to(outside / ".git")
    await watched.start()
    commit(outside, "two")
    assert await watched.git() == []
    assert [fact for fact in watched.facts if "repository" in fact.get("state", {})] == []


async def test_logs_that_expire_tell_nothing(repository: Watched) -> None:
    root = repository.root
    git(root, "checkout", "-q", "-b", "side")
    commit(root, "three")
    await repository.operations()
    git(root, "reflog", "delete", "HEAD@{0}")
    assert await repository.operations() == []
    commit(root, "four")
    assert await repository.operations() == [("commit", "side")]
    git(root, "reflog", "delete", "HEAD@{2}")
    commit(root, "and another")
    assert await repository.operations() == [("commit", "side")]
    git(root, "reflog", "expire", "--expire=now", "--all")
    assert await repository.operations() == []
    commit(root, "five")
    assert await repository.operations() == [("commit", "side")]


async def test_what_is_done_while_the_agent_is_away_is_told_by_the_next(repository: Watched) -> None:
    root = repository.root
    await repository.stop()
    git(root, "checkout", "-q", "-b", "away")
    commit(root, "three")
    git(root, "tag", "v1")
    git(root, "checkout", "-q", "main")
    git(root, "branch", "-q", "-D", "away")
    git(root, "init", "-q", "-b", "main", "nested")
    commit(root / "nested", "inner")
    await repository.start()
    told = [(fact["operation"], fact["branch"], fact["repository"]) for fact in await repository.git()]
    assert told == [
        ("checkout", "away", ""),
        ("commit", "away", ""),
        ("checkout", "main", ""),
        ("tag", None, ""),
        ("commit", "main", "nested"),
    ]
    await repository.again()
    assert await repository.operations() == []


async def test_a_repository_without_logs_is_told_by_its_refs(repository: Watched) -> None:
    root = repository.root
    git(root, "config", "core.logAllRefUpdates", "false")
    shutil.rmtree(root / ".git/logs")
    await repository.again()
    commit(root, "three")
    assert await repository.operations() == [("update-ref", "main")]
    git(root, "checkout", "-q", "-b", "side")
    assert await repository.operations() == [("branch", "side"), ("checkout", "side")]
    await repository.again()
    assert await repository.operations() == []


async def test_a_burst_is_told_in_order(repository: Watched) -> None:
    script = "for n in $(seq 20); do git commit -q --allow-empty -m $n; done"
    (repository.root / "burst.sh").write_text(script)
    git(repository.root, "-c", "alias.burst=!sh burst.sh", "burst")
    assert [fact["message"] for fact in await repository.git()] == [str(number) for number in range(1, 21)]
