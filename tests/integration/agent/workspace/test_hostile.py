"""Trees that somebody made to harm whoever looks at them."""

import asyncio
import json
import os
import random
import socket
import time
from pathlib import Path

import pytest

from jelmore_agent.workspace import beneath, comparison
from jelmore_agent.workspace.beneath import Root
from jelmore_agent.workspace.reading import inside
from tests.support.workspace import Watched, git


async def test_links_are_files_and_never_followed(watched: Watched, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "rules").write_text("*\n")
    await watched.start()
    root = watched.root
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to(".")
    (root / "self").symlink_to("self")
    (root / ".gitignore").symlink_to(outside / "rules")
    assert await watched.files() == [(name, "created") for name in (".gitignore", "loop", "out", "self")]
    (outside / "secret").write_text("changed")
    assert await watched.files() == []
    (root / "folder").mkdir()
    (root / "folder/a").write_text("a")
    await watched.files()
    (root / "folder").rename(root / "elsewhere")
    (root / "folder").symlink_to(outside)
    assert await watched.files() == [("elsewhere/a", "created"), ("folder", "created"), ("folder/a", "deleted")]


async def test_what_is_no_file_is_not_told_and_does_not_block(watched: Watched) -> None:
    await watched.start()
    root = watched.root
    os.mkfifo(root / "pipe")
    os.mkfifo(root / ".gitignore")
    (root / ".git").mkdir()
    for name in ("HEAD", "packed-refs", "FETCH_HEAD"):
        os.mkfifo(root / ".git" / name)
    (root / ".git/logs/refs").mkdir(parents=True)
    os.mkfifo(root / ".git/logs/HEAD")
    os.mkfifo(root / ".git/logs/refs/stash")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        async with asyncio.timeout(5):
            assert await watched.settle() == []


async def test_strange_names(watched: Watched) -> None:
    await watched.start()
    names = [b"new\nline", b"\xff\xfe", b"tab\t", b" ", b"\x01\x7f", b"a" * 255, "ü€😀".encode(), b"-rf", b'"\\']
    for name in names:
        Path(os.fsdecode(bytes(watched.root) + b"/" + name)).write_bytes(b"x")
    facts = await watched.settle()
    assert len(facts) == len(names)
    assert {fact["path"] for fact in facts} >= {"new\nline", "\ufffd\ufffd", "ü€😀"}
    watched.facts = json.loads(json.dumps(watched.facts).encode("utf-8"))
    await watched.again()
    assert await watched.files() == []
    Path(os.fsdecode(bytes(watched.root) + b"/\xff\xfe")).unlink()
    assert await watched.files() == [("\ufffd\ufffd", "deleted")]


async def test_times_that_do_not_fit(watched: Watched) -> None:
    await watched.start()
    for number, when in enumerate((-(1 << 62), 0, 1 << 62)):
        path = watched.root / str(number)
        path.write_text("x")
        os.utime(path, ns=(0, when))
    assert len(await watched.files()) == 3
    assert all(-(1 << 63) <= fact["mtime_ns"] < 1 << 63 for fact in watched.facts if fact["kind"] == "file")
    await watched.again()
    assert await watched.files() == []


async def test_a_very_deep_tree(watched: Watched) -> None:
    await watched.start()
    fd = os.open(watched.root, os.O_RDONLY)
    for _ in range(1_000):
        os.mkdir("d" * 100, dir_fd=fd)
        deeper = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.close(fd)
        fd = deeper
    os.close(fd)
    try:
        found = await watched.files()
        assert 30 < len(found) <= comparison.DEPTH_LIMIT
        assert ["too deep" in problem for problem in watched.problems] == [True]
    finally:
        await (await asyncio.create_subprocess_exec("rm", "-rf", watched.root)).wait()


async def test_a_huge_file_that_is_said_to_be_a_ref(watched: Watched) -> None:
    git(watched.root, "init", "-q", "-b", "main")
    git(watched.root, "commit", "-q", "--allow-empty", "-m", "one")
    await watched.start()
    for name in ("HEAD", "packed-refs", "logs/HEAD", "logs/refs/heads/big", "refs/heads/big", "FETCH_HEAD"):
        path = watched.root / ".git" / name
        with path.open("ab") as file:
            file.truncate(1 << 40)
    (watched.root / ".gitignore").touch()
    os.truncate(watched.root / ".gitignore", 1 << 40)
    began = time.monotonic()
    await watched.settle()
    assert time.monotonic() - began < 5


async def test_reflogs_of_nonsense(watched: Watched) -> None:
    await watched.start()
    generator = random.Random(7)
    (watched.root / ".git/logs/refs/heads").mkdir(parents=True)
    (watched.root / ".git/refs/heads").mkdir(parents=True)
    sha = b"1" * 40
    lines = [b"", b"\0", sha, sha + b" " + sha, sha + b" " + sha + b" a <b> 99999999999999999999 +0000\tcommit: x"]
    lines += [sha + b" " + b"2" * 40 + b" a <b> 999999999 +0000\t" + generator.randbytes(200) for _ in range(50)]
    lines += [
        sha + b" " + b"2" * 40 + b" a <b> 2999999999 +0000\t" + text for text in (b"rebase (start): ", b"pull (a): ")
    ]
    for _ in range(20):
        generator.shuffle(lines)
        for name in ("HEAD", "refs/heads/main"):
            (watched.root / ".git/logs" / name).write_bytes(b"\n".join(lines) + b"\n")
        (watched.root / ".git/HEAD").write_bytes(
            generator.choice([b"ref: refs/heads/main", b"\xff", b"ref: ../../x", sha])
        )
        (watched.root / ".git/packed-refs").write_bytes(generator.randbytes(500))
        json.dumps(await watched.settle()).encode("utf-8")


async def test_names_in_git_that_lead_out(watched: Watched) -> None:
    outside = watched.root.parent / "outside"
    outside.write_text("1" * 40)
    git(watched.root, "init", "-q", "-b", "main")
    git(watched.root, "commit", "-q", "--allow-empty", "-m", "one")
    await watched.start()
    (watched.root / ".git/refs/heads/out").symlink_to(outside)
    (watched.root / ".git/refs/tags/out").symlink_to(outside)
    (watched.root / ".git/worktrees/x").mkdir(parents=True)
    (watched.root / ".git/worktrees/x/gitdir").write_text("/etc/.git\n")
    (watched.root / ".git/worktrees/x/HEAD").symlink_to(outside)
    assert await watched.git() == []


async def test_directories_that_cannot_be_read(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    (watched.root / "closed").mkdir()
    (watched.root / "closed/a").write_text("1")
    await watched.start()
    real = Root.open_directory

    def refuse(self: Root, path: str, *, listing: bool) -> int:
        if path == "closed":
            raise PermissionError(13, "Permission denied")
        return real(self, path, listing=listing)

    monkeypatch.setattr(Root, "open_directory", refuse)  # the tests may be run by root, who may read everything
    (watched.root / "closed/a").write_text("22")
    (watched.root / "open").write_text("1")
    assert await watched.files() == [("open", "created")]
    monkeypatch.undo()
    (watched.root / "closed").chmod(0o700)
    assert await watched.files() == [("closed/a", "modified")]


async def test_directories_that_are_renamed_while_they_are_looked_at(watched: Watched) -> None:
    for name in ("a", "b", "c/d"):
        (watched.root / name).mkdir(parents=True)
        for number in range(50):
            (watched.root / name / str(number)).write_text("1")
    await watched.start()
    script = (
        "n=0; while [ $n -lt 60 ]; do mv a t; mv b a; mv t b; mv c/d e; mv e c/d;"
        " ln -s / l; rm l; mkdir -p x/y; : > x/y/z; rm -r x; n=$((n+1)); done"
    )
    mover = await asyncio.create_subprocess_exec("sh", "-c", script, cwd=watched.root)
    while mover.returncode is None:
        await watched.settle()
        await asyncio.sleep(0)
    await mover.wait()
    await watched.settle()
    assert watched.folded() == watched.real()
    assert len(watched.real()) == 150
    (watched.root / "a/0").write_text("22")
    (watched.root / "c/d/1").write_text("22")
    assert await watched.files() == [("a/0", "modified"), ("c/d/1", "modified")]


@pytest.mark.parametrize(
    ("base", "named", "expected"),
    [
        ("", "{}/x/y", "x/y"),
        ("a/b", "../x", "a/x"),
        ("a/b", "../..", ""),
        ("a", "../..", None),
        ("", "{}er/x", None),
        ("", "/etc", None),
        ("", "{}/a/../../etc", None),
    ],
)
def test_a_path_that_a_repository_names(tmp_path: Path, base: str, named: str, expected: str | None) -> None:
    root = Root(tmp_path)
    assert inside(root, base, named.format(tmp_path).encode()) == expected
    root.close()


@pytest.mark.parametrize("stepwise", [False, True])
def test_nothing_above_the_root_is_opened(tmp_path: Path, stepwise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if stepwise:
        monkeypatch.setattr(beneath, "_SYS_OPENAT2", 1_000_000)  # ENOSYS
    top = tmp_path / "top"
    (top / "in/ner").mkdir(parents=True)
    (top / "in/ner/file").write_text("inside")
    (tmp_path / "file").write_text("outside")
    (top / "up").symlink_to("..")
    (top / "in/back").symlink_to("ner")
    (top / "in/alias").symlink_to("ner/file")
    root = Root(top)
    try:
        assert root.read("in/ner/file", 3) == b"ins"
        for path in ("../file", "in/../../file", "up/file", "in/back/file", "in/alias", "in", "", "/etc/passwd", "no"):
            assert root.read(path, 10) is None, path
        assert root.stat("in/ner/file") is not None
        assert root.stat("up/file") is None
        with pytest.raises(OSError, match=r".*"):
            root.open_directory("up", listing=True)
    finally:
        root.close()
