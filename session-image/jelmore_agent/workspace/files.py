"""Follows the files of a tree: compares what is there with what was known, wherever inotify says that something
happened.

Level-based: notifications only say where to look, so one that is lost, late or doubled changes nothing. What is looked
at is reached below the root without following links (`beneath.py`); links count as files, FIFOs, sockets and devices do
not.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jelmore_agent.workspace import ignore
from jelmore_agent.workspace.beneath import Root
from jelmore_agent.workspace.breath import Breath
from jelmore_agent.workspace.comparison import ENTRIES_LIMIT, Comparison, Scene, Visit, Visits
from jelmore_agent.workspace.inotify import Inotify, Mask
from jelmore_agent.workspace.tree import Directory, Signature, Tree, join, signature_of, split

#: Rules of all ignore files together.
RULES_LIMIT = 10_000

_MASK = (
    Mask.MODIFY | Mask.ATTRIB | Mask.CLOSE_WRITE | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE
    | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR | Mask.EXCL_UNLINK
)  # fmt: skip
_SELF_GONE = Mask.IGNORED | Mask.DELETE_SELF | Mask.MOVE_SELF
_NAMES_LIMIT = 5_000  # changed names of a directory, past which it is listed whole
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)
_UNREADABLE = (
    "The workspace has directories that Jelmore may not read: what changes in them is not reported. "
    "Let their group read them (chmod -R g+rX)."
)


@dataclass(frozen=True)
class Hooks:
    """`touched`: something happened, look soon. `repository`: a `.git` is in this directory, or (False) no longer is.
    `unwatchable`: inotify will not do. `problem`: something that a person should know.
    """

    touched: Callable[[], None]
    repository: Callable[[str, bool], None]
    unwatchable: Callable[[OSError], None]
    problem: Callable[[str], None]


class FileTracker:
    """`tree` is what was seen last. `look` brings it up to date."""

    def __init__(self, root: Root, inotify: Inotify, hooks: Hooks) -> None:
        self.tree = Tree()
        self._root = root
        self._inotify = inotify
        self._hooks = hooks
        self._paths: dict[int, str] = {}  # by watch
        self._visits: Visits = {}
        self._rules = 0
        self._last_look = 0.0

    @property
    def dirty(self) -> bool:
        return bool(self._visits)

    def mark_all(self) -> None:
        self._visit("").whole(deep=True)

    def mark_rules(self, path: str) -> None:
        """The ignore file of a repository at `path` (info/exclude) may have changed."""
        self._visit(path).whole()

    async def look(self, *, adopt: bool = False) -> Comparison:
        """Compares all that is marked. `adopt`: whatever is new is taken as having been there."""
        began = time.time()
        self._root.refresh()
        visits, self._visits = self._visits, {}
        comparison = Comparison(self.tree, visits, self._last_look, adopt)
        comparison.removed, comparison.problem = self._removed, self._hooks.problem
        breath = Breath()
        budget = 4 * ENTRIES_LIMIT  # directories that are renamed while we look must not keep us for ever
        while visits and budget > 0:
            budget -= 1
            path = next(iter(visits))
            for _ in self._visited(path, visits.pop(path), comparison):
                if breath.due:
                    await breath.pause()
        if visits:
            self.mark_all()
        self._last_look = began
        return comparison

    def close(self) -> None:
        for wd in self._paths:
            self._inotify.remove_watch(wd)
        self._paths.clear()

    def _visit(self, path: str) -> Visit:
        return self._visits.setdefault(path, Visit())

    def _mark_name(self, path: str, name: str) -> None:
        visit = self._visit(path)
        if visit.names is not None:
            visit.names.add(name)
            if len(visit.names) > _NAMES_LIMIT:
                visit.whole()

    def _happened(self, wd: int, mask: int, name: str) -> None:
        path = self._paths.get(wd)
        directory = None if path is None else self.tree.get(path)
        if mask & Mask.OVERFLOW:
            self.mark_all()
        elif path is None or directory is None:
            return
        elif name:
            self._mark_name(path, name)
        elif path and mask & _SELF_GONE:
            self._mark_name(*split(path))
        else:
            self._visit(path).whole(deep=not path)
        if directory is not None and mask & Mask.IGNORED:
            del self._paths[wd]
            directory.wd = None
        self._hooks.touched()

    def _visited(self, path: str, visit: Visit, comparison: Comparison) -> Iterator[None]:
        """Looks at one directory; yields at every entry. Where else to look goes into the comparison's visits."""
        yield
        directory = self.tree.get(path)
        if directory is None:
            return  # removed, or ignored by now
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno in _GONE:
                comparison.drop(path)
            elif error.errno in _EXHAUSTED:
                self._visits[path] = visit
                self._hooks.touched()
            elif error.errno == errno.EACCES:
                self._hooks.problem(_UNREADABLE)
            return  # what is in it cannot be told, so nothing is
        try:
            inode, known = os.fstat(fd).st_ino, directory.inode != 0
            if directory.inode != inode or directory.wd is None:
                directory.inode = inode
                visit.whole(deep=known)
            if visit.names is None:
                self._watch(directory, fd)  # before it is listed, so that nothing falls in between
            if visit.names is None or ".gitignore" in visit.names:
                self._read_rules(directory, visit, known, fd)
            yield from self._compare(Scene(self.tree, directory, visit), fd, comparison)
        finally:
            os.close(fd)

    def _open(self, path: str) -> int:
        """Raises OSError, also where names could be listed but not looked at: they would seem to be gone."""
        fd = self._root.open_directory(path, listing=True)
        if not os.access(".", os.X_OK, dir_fd=fd):
            os.close(fd)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return fd

    def _compare(self, scene: Scene, fd: int, comparison: Comparison) -> Iterator[None]:
        directory, names = scene.directory, scene.visit.names
        seen: set[str] = set()
        if names is None:
            for name, status in _list(fd):
                yield
                seen.add(name)
                if name != ".git":
                    comparison.saw(scene, name, status)
            # What the list did not show is asked for by name: lists miss what is renamed meanwhile, and ours ends
            # somewhere.
            names = {name for name in (*directory.files, *directory.subdirectories) if name not in seen}
            self._hooks.repository(directory.path, ".git" in seen)
        for name in sorted(names):
            yield
            status_now = _status(name, fd)
            if name == ".git":
                self._hooks.repository(directory.path, status_now is not None)
            elif status_now is None:
                comparison.lost(directory, name)
            else:
                comparison.saw(scene, name, status_now)

    def _removed(self, directory: Directory) -> None:
        if directory.wd is not None:
            self._inotify.remove_watch(directory.wd)
            self._paths.pop(directory.wd, None)
        self._rules -= len(directory.rules)
        self._hooks.repository(directory.path, False)

    def _watch(self, directory: Directory, fd: int) -> None:
        try:
            wd = self._inotify.add_watch(fd, _MASK, self._happened, patient=True)
        except OSError as error:
            self._hooks.unwatchable(error)
            return
        # An inode has one watch: a directory that was renamed brings along the one that it had under its old path.
        former = self.tree.get(self._paths.get(wd, directory.path))
        if former is not None and former is not directory:
            former.wd = None
        if directory.wd is not None and directory.wd != wd:
            self._inotify.remove_watch(directory.wd)
            self._paths.pop(directory.wd, None)
        self._paths[wd] = directory.path
        directory.wd = wd

    def _read_rules(self, directory: Directory, visit: Visit, known: bool, fd: int) -> None:
        """Takes the directory's ignore files if they changed; then all below it is looked at again."""
        exclude = join(directory.path, ".git/info/exclude")
        sources = (_signature(self._root.stat(exclude)), _signature(_status(".gitignore", fd)))
        if sources == directory.rules_from:
            return
        paths = (exclude, join(directory.path, ".gitignore"))
        text = b"\n".join(
            self._root.read(path, ignore.FILE_LIMIT) or b""
            for path, source in zip(paths, sources, strict=True)
            if source is not None
        )
        self._rules -= len(directory.rules)
        room = max(0, RULES_LIMIT - self._rules)
        directory.rules = ignore.parse(text, min(room, ignore.RULES_LIMIT))
        directory.rules_from = sources
        self._rules += len(directory.rules)
        if len(directory.rules) == room:
            self._hooks.problem(
                f"The workspace's ignore files hold more than {RULES_LIMIT:,} rules: the rest is not honoured."
            )
        visit.whole(deep=True, adopt=known)


def _list(fd: int) -> Iterator[tuple[str, os.stat_result]]:
    """What is in an open directory, with status. Stops at a number that no honest tree has."""
    try:
        with os.scandir(fd) as entries:
            for number, entry in enumerate(entries):
                if number == 4 * ENTRIES_LIMIT:
                    return
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                yield entry.name, status
    except OSError:
        return


def _status(name: str, fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return None


def _signature(status: os.stat_result | None) -> Signature | None:
    return signature_of(status) if status is not None and stat.S_ISREG(status.st_mode) else None
