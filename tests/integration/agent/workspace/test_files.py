"""What happens to files, done for real, and what is told of it."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from jelmore_agent.workspace import comparison
from tests.support.workspace import Watched, git, until


async def test_the_first_start_takes_what_is_there(watched: Watched) -> None:
    (watched.root / "old").write_text("old")
    await watched.start()
    assert await watched.files() == []
    (watched.root / "old").unlink()
    assert await watched.files() == [("old", "deleted")]


async def test_changes_of_every_kind(watched: Watched) -> None:
    root = watched.root
    await watched.start()
    (root / "a").write_text("1")
    (root / "deep/er").mkdir(parents=True)
    (root / "deep/er/b").write_text("22")
    facts = await watched.settle()
    assert sorted((fact["path"], fact["change"], fact["size"]) for fact in facts) == [
        ("a", "created", 1),
        ("deep/er/b", "created", 2),
    ]
    status = (root / "a").stat()
    [fact] = [fact for fact in facts if fact["path"] == "a"]
    assert (fact["mtime_ns"], fact["inode"]) == (status.st_mtime_ns, status.st_ino)
    (root / "a").write_text("other")
    assert await watched.files() == [("a", "modified")]
    (root / "a").rename(root / "c")
    assert await watched.files() == [("a", "deleted"), ("c", "created")]
    (root / "deep").rename(root / "down")
    assert await watched.files() == [("deep/er/b", "deleted"), ("down/er/b", "created")]
    (root / "down/er/b").write_text("still watched")
    assert await watched.files() == [("down/er/b", "modified")]
    shutil.rmtree(root / "down")
    assert await watched.files() == [("down/er/b", "deleted")]


async def test_directories_that_change_places(watched: Watched) -> None:
    root = watched.root
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / name).write_text(name)
    await watched.start()
    (root / "a").rename(root / "t")
    (root / "b").rename(root / "a")
    (root / "t").rename(root / "b")
    assert await watched.files() == [("a/a", "deleted"), ("a/b", "created"), ("b/a", "created"), ("b/b", "deleted")]
    (root / "a/b").write_text("still")
    (root / "b/a").write_text("watched")
    assert await watched.files() == [("a/b", "modified"), ("b/a", "modified")]


async def test_what_changes_nothing_is_not_told(watched: Watched) -> None:
    root = watched.root
    (root / "a").write_text("1")
    await watched.start()
    (root / "a").chmod(0o600)
    (root / "a").read_text()
    with (root / "a").open("a"):
        pass
    (root / "temporary").write_text("x")
    (root / "temporary").unlink()
    (root / "folder").mkdir()
    assert await watched.files() == []


async def test_a_file_that_is_replaced_is_modified(watched: Watched) -> None:
    root = watched.root
    (root / "a").write_text("1")
    await watched.start()
    (root / "a.tmp").write_text("2")
    (root / "a.tmp").replace(root / "a")
    assert await watched.files() == [("a", "modified")]


async def test_changes_are_told_without_being_asked_for(watched: Watched) -> None:
    await watched.start()
    (watched.root / "a").write_text("1")
    await until(lambda: [fact["path"] for fact in watched.facts if fact["kind"] == "file"] == ["a"])


async def test_a_file_that_never_rests_is_told_now_and_then(watched: Watched) -> None:
    await watched.start()
    writer = await asyncio.create_subprocess_exec(
        "sh", "-c", "while :; do echo line; done", stdout=os.open(watched.root / "log", os.O_WRONLY | os.O_CREAT)
    )
    try:
        await until(lambda: len([fact for fact in watched.facts if fact["kind"] == "file"]) >= 3)
    finally:
        writer.kill()
        await writer.wait()
    assert (await watched.files())[:2] == [("log", "created"), ("log", "modified")]
    assert list(watched.folded()) == ["log"]


async def test_a_burst_is_told_whole(watched: Watched) -> None:
    await watched.start()
    script = "mkdir -p d/e; for n in $(seq 1500); do : > d/e/$n; done"
    await (await asyncio.create_subprocess_exec("sh", "-c", script, cwd=watched.root)).wait()
    assert len(await watched.files()) == 1500
    assert len(watched.folded()) == 1500


async def test_more_notifications_than_the_kernel_keeps(watched: Watched) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    await watched.start()
    # All without a turn of the event loop in between, so that nothing is read meanwhile.
    for number in range(200):
        (watched.root / f"{number}").write_text("1")
    for number in range(limit // 3):
        (watched.root / f"x{number % 2}").touch()
        (watched.root / f"x{number % 2}").unlink()
    (watched.root / "last").touch()
    found = await watched.files()
    assert len(found) == 201
    assert ("last", "created") in found


async def test_ignored_files_are_not_told(watched: Watched) -> None:
    root = watched.root
    (root / ".gitignore").write_text("*.log\n/build/\n!keep.log\n")
    (root / "sub").mkdir()
    (root / "sub/.gitignore").write_text("local\n!b.log\n")
    git(root, "init", "-q")
    (root / ".git/info/exclude").write_text("private\n")
    await watched.start()
    for name in ("a.log", "keep.log", "private", "sub/a.log", "sub/b.log", "sub/local", "local", "sub/build"):
        (root / name).write_text("x")
    (root / "build").mkdir()
    (root / "build/out").write_text("x")
    assert await watched.files() == [
        ("keep.log", "created"),
        ("local", "created"),
        ("sub/b.log", "created"),
        ("sub/build", "created"),
    ]


async def test_rules_that_change(watched: Watched) -> None:
    root = watched.root
    git(root, "init", "-q")
    for name in ("dist/a", "dist/b", "c"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    await watched.start()
    (root / ".gitignore").write_text("dist\n")
    assert await watched.files() == [(".gitignore", "created")]  # what is ignored now was not deleted
    (root / "dist/a").write_text("y")
    (root / "dist/new").write_text("y")
    assert await watched.files() == []
    old = (root / "dist/new").stat().st_ctime
    await until(lambda: watched.root.stat().st_ctime > old + 0.1 or _tick(root))
    assert await watched.files() == []
    (root / ".gitignore").write_text("")
    (root / "dist/newer").write_text("z")
    assert await watched.files() == [(".gitignore", "modified"), ("dist/newer", "created")]
    (root / "dist/b").write_text("z")
    assert await watched.files() == [("dist/b", "modified")]
    (root / ".git/info/exclude").write_text("c\n")
    await watched.files()
    (root / "c").write_text("y")
    assert await watched.files() == []
    await watched.again()
    assert await watched.files() == []


def _tick(root: Path) -> bool:
    """Moves a directory's time on."""
    os.utime(root)
    return False


async def test_what_changes_while_the_agent_is_away_is_told_by_the_next(watched: Watched) -> None:
    root = watched.root
    for name in ("same", "changed", "deleted", "folder/deleted"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    await watched.start()
    (root / "later").write_text("x")
    assert await watched.files() == [("later", "created")]
    await watched.stop()
    (root / "changed").write_text("yy")
    (root / "deleted").unlink()
    (root / "folder/deleted").unlink()
    (root / "folder").rmdir()
    (root / "new").write_text("x")
    await watched.start()
    assert await watched.files() == [
        ("changed", "modified"),
        ("deleted", "deleted"),
        ("folder/deleted", "deleted"),
        ("new", "created"),
    ]
    for _ in range(2):
        await watched.again()
        assert await watched.files() == []


async def test_facts_that_cannot_be_recorded_are_offered_again(watched: Watched) -> None:
    await watched.start()
    assert watched.watcher is not None
    kept, refused = watched.facts, 0

    def full(facts: list[dict[str, object]]) -> None:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise OSError(28, "No space left on device")
        kept.extend(facts)

    watched.watcher._record = full
    (watched.root / "a").write_text("1")
    await until(lambda: refused >= 3)
    assert await watched.files() == [("a", "created")]


async def test_a_workspace_that_is_made_anew(watched: Watched) -> None:
    (watched.root / "a").write_text("1")
    await watched.start()
    (watched.root / "a").unlink()
    watched.root.rmdir()
    assert await watched.files() == [("a", "deleted")]
    watched.root.mkdir()
    (watched.root / "b").write_text("1")
    await until(lambda: bool(watched.facts) and watched.facts[-1].get("path") == "b")
    (watched.root / "c").write_text("1")
    assert ("c", "created") in await watched.files()


async def test_a_workspace_that_is_too_large(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "ENTRIES_LIMIT", 100)
    await watched.start()
    for number in range(150):
        (watched.root / f"{number:03}").write_text("1")
    assert len(await watched.files()) == 100
    assert len(watched.problems) == 1
    assert "too large" in watched.problems[0]
    told = {fact["path"] for fact in watched.facts if fact["kind"] == "file"}
    for path in sorted(told)[:10]:
        (watched.root / path).unlink()
    assert {change for _, change in await watched.files()} == {"deleted"}
    (watched.root / "room").write_text("1")
    assert await watched.files() == [("room", "created")]
    assert len(watched.problems) == 1
