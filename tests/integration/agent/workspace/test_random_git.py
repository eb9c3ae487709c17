"""Random sequences of real git commands: what is told must be what was done, once, whenever it is looked at."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.workspace import Watched, git

_BRANCHES = ("main", "x", "y")
_COMMANDS = st.one_of(
    st.tuples(st.sampled_from(["commit", "amend", "reset", "tag", "untag", "stash", "pop", "pick", "pack", "detach"])),
    st.tuples(
        st.sampled_from(["checkout", "create", "delete", "merge", "rebase", "force"]), st.sampled_from(_BRANCHES)
    ),
    st.tuples(st.sampled_from(["rename"]), st.sampled_from(_BRANCHES), st.sampled_from(_BRANCHES)),
    st.tuples(st.sampled_from(["settle", "restart", "away", "rest"])),
)


class _Script:
    """Does commands where they can be done, and keeps what is to be told of them: operation and branch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.expected: list[tuple[str, str | None]] = []
        self._count = 0

    def git(self, *arguments: str) -> str:
        return git(self.root, *arguments)

    @property
    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    @property
    def current(self) -> str | None:
        name = self.git("rev-parse", "--abbrev-ref", "HEAD")
        return None if name == "HEAD" else name

    def tell(self, operation: str, branch: str | None) -> None:
        self.expected.append((operation, branch))

    def do(self, kind: str, names: tuple[str, ...]) -> None:
        getattr(self, f"do_{kind}")(*names)

    def do_commit(self) -> None:
        self._count += 1
        self.git("commit", "-q", "--allow-empty", "-m", f"number {self._count}")
        self.tell("commit", self.current)

    def do_amend(self) -> None:
        self._count += 1
        self.git("commit", "-q", "--amend", "--allow-empty", "-m", f"amended {self._count}")
        self.tell("commit", self.current)

    def do_reset(self) -> None:
        same = self.head == self.git("rev-parse", "first")
        self.git("reset", "-q", "--hard", "first")
        # Of a detached HEAD that stays where it is, git writes nothing down anywhere.
        if self.current is not None or not same:
            self.tell("reset", self.current)

    def do_pick(self) -> None:
        self.git("cherry-pick", "--allow-empty", "--keep-redundant-commits", "first")
        self.tell("cherry-pick", self.current)

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def do_tag(self) -> None:
        self._count += 1
        self.git("tag", f"t{self._count}")
        self.tell("tag", None)

    def do_untag(self) -> None:
        tags = [tag for tag in self.git("tag").split() if tag != "first"]
        if tags:
            self.git("tag", "-d", tags[0])
            self.tell("tag", None)

    def do_stash(self) -> None:
        self._count += 1
        (self.root / "file").write_text(f"{self._count}")
        self.git("stash", "-q")
        self.tell("stash", None)

    def do_pop(self) -> None:
        if self.git("stash", "list"):
            self.git("stash", "drop", "-q")
            self.tell("stash", None)

    def do_pack(self) -> None:
        self.git("pack-refs", "--all")

    def do_detach(self) -> None:
        if self.current is not None:
            self.git("checkout", "-q", "--detach")
            self.tell("checkout", None)

    def do_checkout(self, name: str) -> None:
        if name in self.branches and name != self.current:
            self.git("checkout", "-q", name)
            self.tell("checkout", name)

    def do_create(self, name: str) -> None:
        if name not in self.branches:
            self.git("branch", name)
            self.tell("branch", name)

    def do_delete(self, name: str) -> None:
        if name in self.branches and name != self.current:
            self.git("branch", "-q", "-D", name)
            self.tell("branch", name)

    def do_force(self, name: str) -> None:
        if (
            name in self.branches
            and name != self.current
            and self.git("rev-parse", name) != self.git("rev-parse", "first")
        ):
            self.git("branch", "-q", "-f", name, "first")
            self.tell("branch", name)

    def do_rename(self, name: str, to: str) -> None:
        if name in self.branches and to not in self.branches:
            self.git("branch", "-m", name, to)
            self.tell("branch", to)

    def do_merge(self, name: str) -> None:
        if name in self.branches:
            before = self.head
            self.git("merge", "-q", "--no-edit", "--allow-unrelated-histories", name)
            if self.head != before:
                self.tell("merge", self.current)

    def do_rebase(self, name: str) -> None:
        if name in self.branches:
            before = self.git("reflog", "-1")
            self.git("rebase", "-q", "--no-keep-empty", name)
            if self.git("reflog", "-1") != before:
                self.tell("rebase", self.current)


# What leaves no trace when it is undone before anybody looks: these are looked at one by one.
_LOOKED_AT = ("tag", "untag", "stash", "pop", "create", "delete", "force", "rename", "settle", "restart")


async def _run(commands: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder))
        git(watched.root, "init", "-q", "-b", "main")
        (watched.root / "file").write_text("at first")
        git(watched.root, "add", "file")
        git(watched.root, "commit", "-q", "-m", "first")
        git(watched.root, "tag", "first")
        script = _Script(watched.root)
        told: list[tuple[str, str | None]] = []
        try:
            await watched.start()
            for kind, *names in [*commands, ("settle",)]:
                if kind == "away":
                    await watched.stop()
                elif kind == "rest":
                    await asyncio.sleep(0)
                elif kind not in ("settle", "restart"):
                    script.do(kind, tuple(names))
                if kind in _LOOKED_AT:
                    if kind == "restart" or watched.watcher is None:
                        await watched.again()
                    told += await watched.operations()
                    assert told == script.expected
            await watched.again()
            assert await watched.operations() == []
        finally:
            await watched.stop()


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(_COMMANDS, max_size=12))
def test_what_is_told_is_what_was_done(commands: list[tuple[str, ...]]) -> None:
    asyncio.run(_run(commands))
