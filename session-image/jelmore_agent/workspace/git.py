"""Follows the repositories of a workspace: watches their `.git`, and tells what was done in them (`repository.py`)."""

from collections.abc import Callable
from typing import Any

from jelmore_agent.workspace.beneath import Root
from jelmore_agent.workspace.breath import Breath
from jelmore_agent.workspace.facts import Fact
from jelmore_agent.workspace.files import Hooks
from jelmore_agent.workspace.inotify import Inotify, Mask
from jelmore_agent.workspace.reading import Place, RepositoryReader, locate
from jelmore_agent.workspace.reflog import Activity
from jelmore_agent.workspace.repository import interpret
from jelmore_agent.workspace.state import State, delta, merged, whole

#: Repositories of one workspace that are followed.
REPOSITORIES_LIMIT = 50
_WATCHES_LIMIT = 2_000  # directories in all of them

_MASK = Mask.MODIFY | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE | Mask.DELETE_SELF | Mask.ONLYDIR
# In `.git` itself and in worktrees/x; what else happens there (index.lock and the like) says nothing about refs.
_NAMES = {"HEAD", "FETCH_HEAD", "packed-refs", "logs", "refs", "info", "worktrees", "rebase-merge", "rebase-apply"}


class _Repository:
    """`noted`: whether facts hold its state."""

    def __init__(self, reader: RepositoryReader, state: State, noted: bool) -> None:
        self.reader = reader
        self.state = state
        self.noted = noted
        self.watches: dict[str, int] = {}


class GitTracker:
    """`seen` is told where repositories are; `look` tells what was done in them."""

    def __init__(self, root: Root, inotify: Inotify, hooks: Hooks, rules_changed: Callable[[str], None]) -> None:
        self._root = root
        self._inotify = inotify
        self._hooks = hooks
        self._rules_changed = rules_changed
        self._repositories: dict[str, _Repository] = {}
        self._restored: dict[str, State] = {}  # and not found yet
        self._gone: dict[str, State] = {}  # may come back, also elsewhere
        self._dirty: dict[str, None] = {}
        self._watched: dict[int, tuple[str, str]] = {}  # repository and directory

    @property
    def dirty(self) -> bool:
        return bool(self._dirty)

    def restore(self, fact: Fact) -> None:
        state = fact["state"]
        path = state["repository"]
        self._restored[path] = merged(self._restored.get(path, State()), state)

    def mark_all(self) -> None:
        self._dirty |= dict.fromkeys(self._repositories)

    def seen(self, path: str, exists: bool) -> None:
        """There is a `.git` in this directory, or (False) there is none."""
        known = self._repositories.get(path)
        if known is None and not exists:
            return
        place = locate(self._root, path) if exists else None
        if known is not None and known.reader.place != place:
            self._forget(path, known)
            known = None
        if known is None and place is not None:
            known = self._found(path, place)
        if known is not None:
            self._dirty[path] = None

    async def look(self, since: float, *, adopt: bool = False) -> list[Fact]:
        """Facts of all that was done in the marked repositories. Of one that was not known only what was done `since`
        (Unix time) is told, with `adopt` nothing.
        """
        facts: list[Fact] = []
        breath = Breath()
        dirty, self._dirty = self._dirty, {}
        for path in dirty:
            repository = self._repositories.get(path)
            if repository is not None:
                facts += self._looked(path, repository, since, adopt)
            if breath.due:
                await breath.pause()
        return facts

    def close(self) -> None:
        for wd in self._watched:
            self._inotify.remove_watch(wd)
        self._watched.clear()

    def _found(self, path: str, place: Place) -> _Repository | None:
        if len(self._repositories) >= REPOSITORIES_LIMIT:
            self._hooks.problem(
                f"More than {REPOSITORIES_LIMIT} repositories: git activity in further ones is not seen."
            )
            return None
        reader = RepositoryReader(self._root, place, lambda at, fd: self._watch(path, at, fd))
        if reader.is_foreign:
            self._hooks.problem("A repository uses reftable: git activity in it is not seen.")
            return None
        state = self._restored.pop(path, None)
        if state is not None:
            return self._repositories.setdefault(path, _Repository(reader, state, noted=True))
        others = (
            *self._restored.values(),
            *self._gone.values(),
            *(known.state for known in self._repositories.values()),
        )
        state = next((other for other in others if reader.continues(other)), State())
        return self._repositories.setdefault(path, _Repository(reader, state, noted=False))

    def _looked(self, path: str, repository: _Repository, since: float, adopt: bool) -> list[Fact]:
        before = repository.state
        told, state = interpret(before, repository.reader.look(before), since)
        if adopt and not before.known:
            told = []
        repository.state = state
        facts = [self._fact(path, repository, activity) for activity in told]
        if state.known and not repository.noted:
            facts.append({"kind": "baseline", "state": {"repository": path, **whole(state)}})
            repository.noted = True
        if repository.reader.more:
            self._dirty[path] = None
        return facts

    def _fact(self, path: str, repository: _Repository, activity: Activity) -> Fact:
        where: str | None = path
        if activity.log is not None and activity.log.startswith("worktrees/"):
            where = repository.reader.worktree_path(activity.log)
        state: dict[str, Any] = {"repository": path, **delta(activity, repository.state)}
        return {
            "kind": "git",
            "operation": activity.operation,
            "branch": activity.branch,
            "from": activity.old,
            "to": activity.new,
            "message": activity.message,
            "repository": where if where is not None else path,
            "log": activity.log,
            "offset": activity.mark.offset if activity.mark else None,
            "state": state,
        }

    def _forget(self, path: str, repository: _Repository) -> None:
        del self._repositories[path]
        if repository.state.known:
            self._gone.pop(path, None)
            while len(self._gone) >= REPOSITORIES_LIMIT:
                del self._gone[next(iter(self._gone))]
            self._gone[path] = repository.state
        for wd in repository.watches.values():
            if self._watched.pop(wd, None) is not None:
                self._inotify.remove_watch(wd)

    def _watch(self, path: str, at: str, fd: int) -> None:
        repository = self._repositories.get(path)
        if repository is None or len(self._watched) >= _WATCHES_LIMIT:
            return
        try:
            wd = self._inotify.add_watch(fd, _MASK, self._happened, patient=True)
        except OSError as error:
            self._hooks.unwatchable(error)
            return
        repository.watches[at] = wd
        self._watched[wd] = (path, at)

    def _happened(self, wd: int, mask: int, name: str) -> None:
        path, at = self._watched.get(wd, (None, ""))
        if mask & Mask.OVERFLOW:
            self.mark_all()
        elif path is None or (repository := self._repositories.get(path)) is None:
            return
        elif mask & Mask.IGNORED:
            del self._watched[wd]
            repository.watches.pop(at, None)
            if at == repository.reader.place.directory:
                self._forget(path, repository)  # a new one in its place will be seen in its work tree
            return
        elif name == "exclude" and at.endswith("/info"):
            self._rules_changed(path)
        elif self._matters(repository.reader.place.directory, at, name):
            self._dirty[path] = None
        else:
            return
        self._hooks.touched()

    def _matters(self, directory: str, at: str, name: str) -> bool:
        below = at.removeprefix(directory).strip("/").split("/")
        if name.endswith(".lock"):
            return False
        return below[0] in ("refs", "logs") or below[-1] == "logs" or name in _NAMES
