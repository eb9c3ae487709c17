"""Compares what is seen in directories with what was known of them, and keeps the tree up to date; pure.

A look at the tree is one `Comparison`: `saw` and `lost` are told of each entry, in any order, and may be told twice.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from jelmore_agent.workspace import ignore
from jelmore_agent.workspace.beneath import LONGEST_PATH
from jelmore_agent.workspace.tree import (
    Change,
    Directory,
    Signature,
    Tree,
    depth,
    join,
    signature_of,
)

#: Files and directories that are tracked; past it new ones are not seen.
ENTRIES_LIMIT = 50_000
#: Directories below one another.
DEPTH_LIMIT = 100

# The kernel's clock for time stamps may be a tick (10 ms at most) behind ours.
_TICK = 0.05


@dataclass(slots=True)
class Visit:
    """What to do in a directory. `names` None: list it whole. `deep`: go into directories that are known, too.
    `adopt`: what is new here may have become visible by a changed ignore file, rather than have been created.
    """

    names: set[str] | None = field(default_factory=set)
    deep: bool = False
    adopt: bool = False

    def whole(self, *, deep: bool = False, adopt: bool = False) -> None:
        self.names = None
        self.deep |= deep
        self.adopt |= adopt


type Visits = dict[str, Visit]


@dataclass(slots=True)
class Level:
    """Ignore rules, and the components of the directory in question below that of the rules."""

    rules: tuple[ignore.Rule, ...]
    components: list[bytes]


class Scene:
    """A directory that is being looked at, and the rules that hold in it, nearest first."""

    def __init__(self, tree: Tree, directory: Directory, visit: Visit) -> None:
        self.directory = directory
        self.visit = visit
        self._chain = [
            Level(above.rules, _components(directory.path, above.path))
            for above in tree.above(directory.path)
            if above.rules
        ]

    def ignores(self, name: str, is_directory: bool) -> bool:
        """By the nearest rules that say something about it. Nothing in an ignored directory is ever asked about."""
        raw = os.fsencode(name) if self._chain else b""
        for level in self._chain:
            verdict = ignore.decide(level.rules, [*level.components, raw], is_directory)
            if verdict is not None:
                return verdict
        return False


class Comparison:
    """`changes` are to be told of; `silent` ones only to be remembered (None: forgotten), unless all are. `visits`:
    where else to look. `removed` is called for each directory that is no longer in the tree.
    """

    def __init__(self, tree: Tree, visits: Visits, last_look: float, adopt: bool) -> None:
        """`last_look`: when (Unix time) the last look began. `adopt`: whatever is new is taken as having been there."""
        self.changes: list[Change] = []
        self.silent: list[tuple[str, Signature | None]] = []
        self.visits = visits
        self.removed: Callable[[Directory], None] = lambda _: None
        self.problem: Callable[[str], None] = lambda _: None
        self._tree = tree
        self._last_look = last_look
        self._adopt = adopt

    def saw(self, scene: Scene, name: str, status: os.stat_result) -> None:
        is_directory = stat.S_ISDIR(status.st_mode)
        if not (is_directory or stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            self.lost(scene.directory, name)
        elif scene.ignores(name, is_directory):
            self._forget(scene.directory, name)
        elif is_directory:
            self._lost_file(scene.directory, name)
            self._enter(scene, name, status)
        else:
            self._lost_directory(scene.directory, name)
            quiet = self._adopt or (scene.visit.adopt and status.st_ctime < self._last_look - _TICK)
            self._saw_file(scene.directory, name, signature_of(status), quiet)

    def lost(self, directory: Directory, name: str) -> None:
        self._lost_file(directory, name)
        self._lost_directory(directory, name)

    def drop(self, path: str) -> None:
        """A directory is gone, with all that was below it."""
        self.changes.extend(Change(file, "deleted", None) for file in self._remove(path))

    def _saw_file(self, directory: Directory, name: str, signature: Signature, quiet: bool) -> None:
        known = directory.files.get(name)
        if known == signature:
            return
        path = join(directory.path, name)
        if known is None and not self._room_for(path):
            return
        self._tree.put(directory, name, signature)
        if known is not None:
            self.changes.append(Change(path, "modified", signature))
        elif quiet:
            if not self._adopt:
                self.silent.append((path, signature))
        else:
            self.changes.append(Change(path, "created", signature))

    def _enter(self, scene: Scene, name: str, status: os.stat_result) -> None:
        path = join(scene.directory.path, name)
        known = self._tree.get(path)
        if known is None:
            if not self._room_for(path):
                return
            known = self._tree.add(path)
        if scene.visit.deep or known.wd is None or known.inode != status.st_ino:
            self.visits.setdefault(path, Visit()).whole(deep=scene.visit.deep, adopt=scene.visit.adopt)

    def _lost_file(self, directory: Directory, name: str) -> None:
        if name in directory.files:
            self._tree.put(directory, name, None)
            self.changes.append(Change(join(directory.path, name), "deleted", None))

    def _lost_directory(self, directory: Directory, name: str) -> None:
        if name in directory.subdirectories:
            self.drop(join(directory.path, name))

    def _forget(self, directory: Directory, name: str) -> None:
        """What became ignored is no longer followed; it was not deleted."""
        path = join(directory.path, name)
        if name in directory.files:
            self._tree.put(directory, name, None)
            self.silent.append((path, None))
        if name in directory.subdirectories:
            self.silent.extend((file, None) for file in self._remove(path))

    def _remove(self, path: str) -> list[str]:
        files: list[str] = []
        for directory in self._tree.remove(path):
            self.removed(directory)
            files += [join(directory.path, name) for name in directory.files]
        return files

    def _room_for(self, path: str) -> bool:
        if self._tree.entries >= ENTRIES_LIMIT:
            self.problem(
                f"The workspace is too large: of more than {ENTRIES_LIMIT:,} files not ignored by git, changes of "
                "further ones are not reported. Add what need not be followed to .gitignore."
            )
            return False
        # The longest name has 255 bytes, so a path of few characters cannot be too long.
        if depth(path) > DEPTH_LIMIT or (len(path) > 1_000 and len(os.fsencode(path)) > LONGEST_PATH - 256):
            self.problem(
                f"The workspace is too deep: what lies more than {DEPTH_LIMIT} directories down is not reported."
            )
            return False
        return True


def _components(path: str, above: str) -> list[bytes]:
    relative = path[len(above) :].strip("/")
    return [os.fsencode(component) for component in relative.split("/")] if relative else []
