"""Without inotify, or with too little of it, the workspace is looked at every few seconds instead."""

import asyncio
import errno
import resource
from pathlib import Path

import pytest

from jelmore_agent.workspace import watcher
from jelmore_agent.workspace.inotify import Callback, Inotify, Mask
from tests.support.workspace import Watched, git, until


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "POLL", 0.05)


@pytest.fixture
def no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor can be opened while an Inotify is made, as when the uid's instances are used up (also EMFILE)."""
    make = Inotify.__init__

    def made(self: Inotify) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            make(self)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    monkeypatch.setattr(Inotify, "__init__", made)


async def _changes_are_told(watched: Watched) -> None:
    root = watched.root
    git(root, "init", "-q", "-b", "main")
    (root / "deep/er").mkdir(parents=True)
    (root / "deep/er/a").write_text("1")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    facts = await watched.settle()
    assert [fact.get("path") or fact["operation"] for fact in facts] == ["deep/er/a", "commit"]
    (root / "deep/er/a").write_text("22")
    await until(lambda: watched.facts[-1].get("change") == "modified")
    git(root, "commit", "-q", "-a", "-m", "two")
    await until(lambda: watched.facts[-1].get("message") == "two")
    assert watched.folded() == watched.real()
    assert ["inotify" in problem for problem in watched.problems] == [True]


@pytest.mark.usefixtures("often", "no_instance")
async def test_without_an_instance(watched: Watched) -> None:
    await watched.start()
    assert watched.inotify is not None
    assert not watched.inotify.available
    await _changes_are_told(watched)


@pytest.mark.usefixtures("often")
async def test_when_watches_run_out(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Inotify.add_watch
    given = 0

    def few(self: Inotify, target: int | Path, mask: int, callback: Callback, *, patient: bool = False) -> int:
        nonlocal given
        given += 1
        if given > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target, mask, callback, patient=patient)

    monkeypatch.setattr(Inotify, "add_watch", few)
    await watched.start()
    await _changes_are_told(watched)


async def test_one_instance_serves_several(tmp_path: Path) -> None:
    inotify = Inotify()
    try:
        told: list[tuple[str, str]] = []
        spool = tmp_path / "spool"
        spool.touch()
        (tmp_path / "folder").mkdir()
        inotify.add_watch(spool, Mask.MODIFY, lambda wd, mask, name: told.append(("spool", name)))
        folder = inotify.add_watch(
            tmp_path / "folder", Mask.CREATE, lambda wd, mask, name: told.append(("folder", name)), patient=True
        )
        spool.write_text("line\n")
        (tmp_path / "folder/a").touch()
        await until(lambda: sorted(told) == [("folder", "a"), ("spool", "")])
        inotify.remove_watch(folder)
        (tmp_path / "folder/b").touch()
        spool.write_text("line\nline\n")
        inotify.drain()
        assert ("folder", "b") not in told
        assert told[-1] == ("spool", "")
    finally:
        inotify.close()
    with pytest.raises(OSError, match="not available"):
        inotify.add_watch(spool, Mask.MODIFY, lambda wd, mask, name: None)


async def test_a_chatty_writer_does_not_keep_the_agent_awake(tmp_path: Path) -> None:
    inotify = Inotify()
    woken = 0

    def wake(wd: int, mask: int, name: str) -> None:
        nonlocal woken
        woken += 1

    inotify.add_watch(tmp_path, Mask.MODIFY, wake, patient=True)
    script = "n=0; while [ $n -lt 50000 ]; do echo line; n=$((n+1)); done"
    with (tmp_path / "log").open("w") as log:
        began = asyncio.get_running_loop().time()
        writer = await asyncio.create_subprocess_exec("sh", "-c", script, stdout=log)
        await writer.wait()
        took = asyncio.get_running_loop().time() - began
    inotify.close()
    assert 0 < woken <= 2 * took / 0.005 + 10  # every 5 ms, and not for each of 50,000 lines
