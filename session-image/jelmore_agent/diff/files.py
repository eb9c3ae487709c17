"""The workspace's files as they are now, for the shadow repository: all that git would not ignore, within bounds."""

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from jelmore_agent.diff.shadow import Content
from jelmore_agent.workspace.beneath import Root, read_at
from jelmore_agent.workspace.files import FileTracker, Hooks
from jelmore_agent.workspace.inotify import Inotify
from jelmore_agent.workspace.tree import split, unpack

#: Bytes of a file that is compared.
FILE_LIMIT = 1 << 20
#: Bytes that are read for one comparison.
READ_LIMIT = 128 << 20

#: size, modification time in ns, inode
type Signature = list[int]


class Files:
    """`close` after use. `cut`: something was left out of the listing."""

    def __init__(self, workspace: Path) -> None:
        """Raises OSError where there is no such directory."""
        self._root = Root(workspace)
        self.cut = False
        self._read = 0

    def close(self) -> None:
        self._root.close()

    def listing(self) -> dict[str, Signature]:
        """By path; names of bytes that are no UTF-8 with surrogates."""
        hooks = Hooks(lambda: None, lambda _path, _exists: None, lambda _error: None, self._cut)
        tracker = FileTracker(self._root, _NoInotify(), hooks)
        tracker.mark_all()
        asyncio.run(tracker.look(adopt=True))
        return {path: list(unpack(signature)) for path, signature in tracker.tree.files()}

    def content(self, path: str) -> Content | None:
        """None for what cannot be compared: too large, unreadable, or no plain file any more."""
        if any(part.lower() == ".git" for part in path.split("/")):
            return None  # no repository may hold one
        raw = os.fsencode(path)
        try:
            status = self._root.stat(path)
            if status is None:
                return None
            if stat.S_ISLNK(status.st_mode):
                return Content(raw, b"120000", self._target(path))
            fd = self._root.open_file(path)
        except OSError:
            return None
        try:
            data = read_at(fd, 0, FILE_LIMIT + 1)
        except OSError:
            return None
        finally:
            os.close(fd)
        self._read += len(data)
        if len(data) > FILE_LIMIT or self._read > READ_LIMIT:
            return None
        return Content(raw, b"100755" if status.st_mode & stat.S_IXUSR else b"100644", data)

    def _target(self, path: str) -> bytes:
        parent, name = split(path)
        fd = self._root.open_directory(parent, listing=False)
        try:
            return os.readlink(os.fsencode(name), dir_fd=fd)
        finally:
            os.close(fd)

    def _cut(self, _problem: str) -> None:
        self.cut = True


class _NoInotify(Inotify):
    """For one look nothing need be watched: as where there is no inotify."""

    def __init__(self) -> None:
        self._fd = -1
        self._callbacks = {}
        self._patient = set()


def until(deadline: float, paths: list[str]) -> Iterator[str]:
    """As many as there is time for."""
    for path in paths:
        if time.monotonic() >= deadline:
            return
        yield path
