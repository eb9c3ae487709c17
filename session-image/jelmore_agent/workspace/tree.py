"""What a watcher knows of a tree: every file with its signature, by directory. Pure.

Names are `str` as the file system gives them, with surrogates for bytes that are no UTF-8; paths are relative to the
root, with `/`, "" being the root.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jelmore_agent.workspace.ignore import Rule

#: size, modification time in ns, inode of a file, packed: 24 bytes, since a tree may hold 50,000 of them.
type Signature = bytes

_SIGNATURE = struct.Struct("<qqQ")
_WORD = 1 << 64


class Change(NamedTuple):
    """What became of a file. `signature` is None once it is deleted."""

    path: str
    change: str  # created, modified, deleted
    signature: Signature | None


def coalesced(changes: Iterable[Change]) -> list[Change]:
    """At most one change for each path, in the order of their first ones: created and deleted is nothing, deleted and
    created is modified.
    """
    folded: dict[str, Change] = {}
    existed: dict[str, bool] = {}
    for change in changes:
        before = existed.setdefault(change.path, change.change != "created")
        if change.signature is None:
            folded[change.path] = change
        else:
            folded[change.path] = change._replace(change="modified" if before else "created")
    return [change for path, change in folded.items() if existed[path] or change.signature is not None]


def signature_of(status: os.stat_result) -> Signature:
    return pack(status.st_size, status.st_mtime_ns, status.st_ino)


def pack(size: int, mtime_ns: int, inode: int) -> Signature:
    # A time stamp may be any 64-bit count of seconds (touch -d 9999-01-01): what does not fit wraps round.
    return _SIGNATURE.pack(size, (mtime_ns + _WORD // 2) % _WORD - _WORD // 2, inode % _WORD)


def unpack(signature: Signature) -> tuple[int, int, int]:
    """size, mtime_ns, inode"""
    size, mtime_ns, inode = _SIGNATURE.unpack(signature)
    return size, mtime_ns, inode


def join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def split(path: str) -> tuple[str, str]:
    """directory and name"""
    directory, _, name = path.rpartition("/")
    return directory, name


def depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


class Directory:
    """A directory below which files are tracked. `wd`: its watch, None while it has none; `inode`: 0 until it was
    looked at.
    """

    __slots__ = ("files", "inode", "path", "rules", "rules_from", "subdirectories", "wd")

    def __init__(self, path: str) -> None:
        self.path = path
        self.inode = 0
        self.wd: int | None = None
        self.files: dict[str, Signature] = {}
        self.subdirectories: set[str] = set()
        self.rules: tuple[Rule, ...] = ()
        self.rules_from: tuple[Signature | None, Signature | None] = (None, None)


class Tree:
    """Directories by path. `entries` counts files and directories, the root not among them."""

    def __init__(self) -> None:
        self.root = Directory("")
        self._directories = {"": self.root}
        self.entries = 0

    def get(self, path: str) -> Directory | None:
        return self._directories.get(path)

    def add(self, path: str) -> Directory:
        """The directory at `path`, made with all above it where it is new."""
        known = self._directories.get(path)
        if known is not None:
            return known
        missing = [path]
        while (parent := split(missing[-1])[0]) not in self._directories:
            missing.append(parent)
        directory = self._directories[split(missing[-1])[0]]
        for new in reversed(missing):
            directory.subdirectories.add(split(new)[1])
            directory = self._directories[new] = Directory(new)
            self.entries += 1
        return directory

    def put(self, directory: Directory, name: str, signature: Signature | None) -> None:
        """Sets or (None) forgets a file."""
        before = len(directory.files)
        if signature is None:
            directory.files.pop(name, None)
        else:
            directory.files[name] = signature
        self.entries += len(directory.files) - before

    def put_path(self, path: str, signature: Signature | None) -> None:
        parent, name = split(path)
        if signature is not None:
            self.put(self.add(parent), name, signature)
        elif (directory := self._directories.get(parent)) is not None:
            self.put(directory, name, None)

    def remove(self, path: str) -> list[Directory]:
        """Takes a directory and all below it out of the tree, and returns them."""
        if path not in self._directories:
            return []
        parent, name = split(path)
        if path and parent in self._directories:
            self._directories[parent].subdirectories.discard(name)
        removed: list[Directory] = []
        left = [path]
        while left:
            directory = self._directories.pop(left.pop())
            removed.append(directory)
            left.extend(join(directory.path, child) for child in directory.subdirectories)
            self.entries -= 1 + len(directory.files)
        if not path:
            self.entries += 1
            self.root = self._directories[""] = Directory("")
        return removed

    def files(self) -> Iterator[tuple[str, Signature]]:
        """All files by path."""
        for directory in self._directories.values():
            for name, signature in directory.files.items():
                yield join(directory.path, name), signature

    def above(self, path: str) -> Iterator[Directory]:
        """The directory at `path` and those it lies in, the nearest first."""
        while True:
            directory = self._directories.get(path)
            if directory is not None:
                yield directory
            if not path:
                return
            path = split(path)[0]
