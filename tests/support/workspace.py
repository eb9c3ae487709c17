"""A workspace, its watcher, and what the watcher has recorded."""

import asyncio
import os
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jelmore_agent.workspace import Fact, WorkspaceWatcher
from jelmore_agent.workspace.inotify import Inotify

GIT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_EDITOR": "true",
    "LC_ALL": "C",
}


def git(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Runs git; `fails`: it is meant to."""
    done = subprocess.run(["git", *arguments], cwd=folder, env=GIT, capture_output=True, text=True, timeout=30)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout.strip()


class Watched:
    """A workspace under watch. `facts`: all that was ever recorded, over several starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.facts: list[Fact] = []
        self.problems: list[str] = []
        self.inotify: Inotify | None = None
        self.watcher: WorkspaceWatcher | None = None
        self._told = 0

    async def start(self) -> None:
        """As an agent starts: what was recorded is restored first."""
        self.inotify = self.inotify or Inotify()
        self.watcher = WorkspaceWatcher(self.root, self.inotify, self._record, self.problems.append)
        for fact in self.facts:
            self.watcher.restore(fact)
        await self.watcher.start()

    async def stop(self) -> None:
        if self.watcher is not None:
            await self.watcher.close()
            self.watcher = None
        if self.inotify is not None:
            self.inotify.close()
            self.inotify = None

    async def again(self) -> None:
        await self.stop()
        await self.start()

    def _record(self, facts: list[Fact]) -> None:
        self.facts += facts

    async def settle(self) -> list[Fact]:
        """What was told of since the last call, that is all but baselines."""
        assert self.watcher is not None
        await self.watcher.settle(30)
        new, self._told = self.facts[self._told :], len(self.facts)
        return [fact for fact in new if fact["kind"] != "baseline"]

    async def files(self) -> list[tuple[str, str]]:
        """Changed paths and their changes since the last call, sorted."""
        return sorted((fact["path"], fact["change"]) for fact in await self.settle() if fact["kind"] == "file")

    async def git(self) -> list[dict[str, Any]]:
        return [fact for fact in await self.settle() if fact["kind"] == "git"]

    async def operations(self) -> list[tuple[str, str | None]]:
        """Operations and their branches since the last call."""
        return [(fact["operation"], fact["branch"]) for fact in await self.git()]

    def folded(self) -> dict[str, tuple[int, int, int]]:
        """The files that exist by all facts of files taken together: size, mtime_ns, inode by path."""
        files: dict[str, tuple[int, int, int]] = {}
        for fact in self.facts:
            if fact["kind"] == "baseline":
                files |= {path: (size, mtime, inode) for path, size, mtime, inode in fact["state"].get("files", ())}
            if fact["kind"] != "file":
                continue
            assert (fact["change"] == "created") == (fact["path"] not in files), fact
            if fact["change"] == "deleted":
                del files[fact["path"]]
            else:
                files[fact["path"]] = (fact["size"], fact["mtime_ns"], fact["inode"])
        return files

    def real(self) -> dict[str, tuple[int, int, int]]:
        """The files that there are, links among them, in the same form; without `.git`."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != ".git"]
            for path in (Path(folder) / name for name in (*names, *folders)):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    found[str(path.relative_to(self.root))] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return found


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """An empty workspace, not started yet."""
    root = tmp_path / "workspace"
    root.mkdir()
    found = Watched(root)
    yield found
    await found.stop()


async def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    """Waits until something holds; fails when it does not within `limit` seconds."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 (nothing tells when it holds)
            await asyncio.sleep(0.005)
