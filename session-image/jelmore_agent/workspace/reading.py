"""Reads a repository's small files, all of them anybody's: bounded, below the workspace, and never by git itself, which
would run what the repository's configuration says.
"""

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jelmore_agent.workspace import refs
from jelmore_agent.workspace.beneath import Root
from jelmore_agent.workspace.logs import LOG_BYTES, is_at, new_lines
from jelmore_agent.workspace.reflog import Line, Mark, parse
from jelmore_agent.workspace.repository import Seen, SeenHead, SeenLog
from jelmore_agent.workspace.state import State
from jelmore_agent.workspace.tree import Signature, join, signature_of

_SMALL = 4 * 1024
_PACKED_BYTES = 4 * 1024 * 1024
_ENTRIES = 5_000  # files below refs/ or logs/
_DEPTH = 10
_WORKTREES = 50
_STASHES = 100
_KINDS = ("heads", "remotes", "tags")


class Place(NamedTuple):
    """A repository. `path`: its work tree, "" for the workspace itself; `directory`: its `.git`, both below the
    workspace.
    """

    path: str
    directory: str
    inode: int  # of that directory


class RepositoryReader:
    """Looks at one repository again and again. `watch` is called with each directory whose changes matter."""

    def __init__(self, root: Root, place: Place, watch: Callable[[str, int], None]) -> None:
        self.place = place
        self._root = root
        self._watch = watch
        self.more = False  # there was more in a log than was read
        self._unchanged: dict[str, tuple[Signature, Mark]] = {}
        self._fetch: Signature | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether the repository keeps its refs in a form (reftable) that is not understood here."""
        return self._root.stat(join(self.place.directory, "reftable")) is not None

    def look(self, state: State) -> Seen:
        """What is new since `state`. The order of reading matters: a HEAD before its log, loose refs before packed
        ones.
        """
        self.more = False
        directory = self.place.directory
        self._watch_directory(directory)
        self._watch_directory(join(directory, "info"))
        heads = {name: (at, self._head(at)) for name, at in self._heads()}
        logged: dict[str, str] = {}
        for kind in _KINDS:
            top = join(directory, f"logs/refs/{kind}")
            logged |= {f"refs/{kind}/{name}": join(top, name) for name in self._files(top)}
        seen_heads = {
            name: self._seen_head(name, at, head, state) for name, (at, head) in heads.items() if head is not None
        }
        logs = {name: log for name, path in logged.items() if (log := self._log(name, path, state))}
        loose = self._loose()
        packed = refs.parse_packed(self._root.read(join(directory, "packed-refs"), _PACKED_BYTES) or b"")
        packed = {name: sha for name, sha in packed.items() if name.split("/", 2)[1] in _KINDS}
        values = packed | loose
        resolved = {name: self._resolved(head, heads[name][1], values) for name, head in seen_heads.items()}
        fetched, fetching = self._fetched()
        return Seen(resolved, logs, frozenset(logged), values, frozenset(packed), self._stash(), fetched, fetching)

    def continues(self, state: State) -> bool:
        """Whether this is the repository of which `state` was told, by what is in HEAD's log: it was moved, or
        copied.
        """
        mark = state.marks.get("HEAD")
        if mark is None or mark.offset == 0:
            return False
        try:
            fd = self._root.open_file(join(self.place.directory, "logs/HEAD"))
        except OSError:
            return False
        try:
            return is_at(fd, mark)
        except OSError:
            return False
        finally:
            os.close(fd)

    def worktree_path(self, name: str) -> str | None:
        """Where the linked worktree with this log ("worktrees/x/HEAD") has its files, if below the workspace."""
        at = join(self.place.directory, name.rpartition("/")[0])
        raw = (self._root.read(join(at, "gitdir"), _SMALL) or b"").strip()
        return inside(self._root, at, raw.removesuffix(b"/.git")) if raw.endswith(b"/.git") else None

    def _heads(self) -> Iterator[tuple[str, str]]:
        """The name of each HEAD's log, and the directory that HEAD is in."""
        yield "HEAD", self.place.directory
        top = join(self.place.directory, "worktrees")
        for name in self._listed(top)[:_WORKTREES]:
            self._watch_directory(join(top, name))
            yield f"worktrees/{name}/HEAD", join(top, name)

    def _head(self, directory: str) -> refs.Head | None:
        return refs.parse_head(self._root.read(join(directory, "HEAD"), _SMALL) or b"")

    def _seen_head(self, name: str, directory: str, head: refs.Head, state: State) -> SeenHead:
        self._watch_directory(join(directory, "logs"))
        log = self._log(name, join(directory, "logs/HEAD"), state)
        if log is not None and (again := self._head(directory)) is not None:
            head = again  # as new as the log; what is newer still will be seen next time
        rebasing = self._rebased(directory)
        ref = rebasing if rebasing is not None else head.ref or ""
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
        return SeenHead(branch, head.sha, rebasing is not None, log)

    def _rebased(self, directory: str) -> str | None:
        """The ref that is being rebased, "" for a detached HEAD; None when no rebase is going on."""
        for name in ("rebase-merge", "rebase-apply"):
            data = self._root.read(join(directory, f"{name}/head-name"), _SMALL)
            if data is not None:
                return data.strip().decode("utf-8", "replace")
        return None

    def _resolved(self, seen: SeenHead, head: refs.Head | None, values: dict[str, str]) -> SeenHead:
        sha = values.get(f"refs/heads/{seen.branch}") if seen.branch is not None else seen.sha
        return SeenHead(seen.branch, sha or (head.sha if head else None), seen.rebasing, seen.log)

    def _loose(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for kind in _KINDS:
            top = join(self.place.directory, f"refs/{kind}")
            for name in self._files(top):
                sha = refs.parse_sha(self._root.read(join(top, name), _SMALL) or b"")
                if sha is not None:
                    values[f"refs/{kind}/{name}"] = sha
        return values

    def _log(self, name: str, path: str, state: State) -> SeenLog | None:
        """What is new in a log; None when nothing is."""
        try:
            fd = self._root.open_file(path)
        except OSError:
            return None
        try:
            signature, mark = signature_of(os.fstat(fd)), state.marks.get(name)
            if mark is not None and self._unchanged.get(name) == (signature, mark):
                return None
            seen, more = new_lines(fd, mark)
        except OSError:
            return None
        finally:
            os.close(fd)
        self.more |= more
        if not more:
            self._unchanged[name] = (signature, seen.mark)
        return None if seen.mark == mark else seen

    def _stash(self) -> tuple[Line, ...]:
        directory = join(self.place.directory, "logs/refs")
        self._watch_directory(directory)
        lines, _ = parse(self._root.read(join(directory, "stash"), LOG_BYTES) or b"", 0)
        return tuple(lines[-_STASHES:])

    def _fetched(self) -> tuple[frozenset[str], bool]:
        path = join(self.place.directory, "FETCH_HEAD")
        status = self._root.stat(path)
        signature = signature_of(status) if status is not None else None
        before, self._fetch = self._fetch, signature
        if signature is None:
            return frozenset(), False
        return frozenset(refs.parse_fetched_tags(self._root.read(path, LOG_BYTES) or b"")), signature != before

    def _files(self, top: str) -> Iterator[str]:
        """The files below a directory of refs or logs, by path; at most so many, and not for ever."""
        left = [""]
        count = 0
        while left and count < _ENTRIES:
            below = left.pop()
            for name, is_directory in self._entries(join(top, below) if below else top):
                count += 1
                if is_directory and below.count("/") < _DEPTH:
                    left.append(join(below, name))
                elif not is_directory and not name.endswith(".lock"):
                    yield join(below, name)

    def _listed(self, path: str) -> list[str]:
        return sorted(name for name, is_directory in self._entries(path) if is_directory)

    def _entries(self, path: str) -> list[tuple[str, bool]]:
        """Names that are UTF-8, and whether each is a directory; links are neither, and left out."""
        try:
            fd = self._root.open_directory(path, listing=True)
        except OSError:
            return []
        found: list[tuple[str, bool]] = []
        try:
            self._watch(path, fd)
            with os.scandir(fd) as entries:
                for entry in entries:
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if (is_directory or entry.is_file(follow_symlinks=False)) and _is_text(entry.name):
                        found.append((entry.name, is_directory))
                    if len(found) >= _ENTRIES:
                        break
        except OSError:
            pass
        finally:
            os.close(fd)
        return found

    def _watch_directory(self, path: str) -> None:
        try:
            fd = self._root.open_directory(path, listing=False)
        except OSError:
            return
        try:
            self._watch(path, fd)
        finally:
            os.close(fd)


def inside(root: Root, base: str, raw: bytes) -> str | None:
    """A path that a repository names, as one below the workspace; None where it leads out. Relative ones count from
    `base`.
    """
    path = os.fsdecode(raw)
    top = str(root.path)
    full = os.path.normpath(path if path.startswith("/") else os.path.join(top, base, path))  # noqa: PTH118
    if full == top:
        return ""
    return full[len(top) + 1 :] if full.startswith(top.rstrip("/") + "/") else None


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def locate(root: Root, path: str) -> Place | None:
    """The repository whose `.git` lies in `path`; None where there is none, or it is a worktree's (its repository
    tells of it) or lies outside the workspace.
    """
    at = join(path, ".git")
    status = root.stat(at)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return Place(path, at, status.st_ino)
    named = refs.parse_gitdir(root.read(at, _SMALL) or b"")
    directory = inside(root, path, named) if named else None
    if directory is None or root.read(join(directory, "commondir"), _SMALL) is not None:
        return None
    real = root.stat(directory) if directory else None
    return Place(path, directory, real.st_ino) if real is not None and stat.S_ISDIR(real.st_mode) else None
