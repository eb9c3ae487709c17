"""Random sequences of file operations, done for real: all facts taken together must equal the tree that is left."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.workspace import Watched

_NAMES = st.sampled_from(["a", "b", "c", "d"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_OPERATIONS = st.one_of(
    st.tuples(st.just("write"), _PATHS, st.text("xy", max_size=3)),
    st.tuples(st.just("append"), _PATHS, st.just("more")),
    st.tuples(st.just("remove"), _PATHS),
    st.tuples(st.just("rename"), _PATHS, _PATHS),
    st.tuples(st.just("mkdir"), _PATHS),
    st.tuples(st.just("link"), _PATHS, _PATHS),
    st.tuples(st.just("hard"), _PATHS, _PATHS),
    st.tuples(st.just("rest"),),
    st.tuples(st.just("settle"),),
    st.tuples(st.just("restart"),),
    st.tuples(st.just("away"),),
)  # fmt: skip


def _do(root: Path, operation: tuple[str, ...]) -> None:
    kind, *paths = operation
    path = root / paths[0]
    match kind:
        case "write" | "append":
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a" if kind == "append" else "w") as file:
                file.write(paths[1])
        case "remove":
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        case "rename":
            path.rename(root / paths[1])
        case "mkdir":
            path.mkdir(parents=True)
        case "link":
            path.symlink_to(paths[1])
        case "hard":
            os.link(path, root / paths[1], follow_symlinks=False)


async def _run(operations: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder))
        (watched.root / "a").mkdir()
        (watched.root / "a/b").write_text("at first")
        try:
            await watched.start()
            for operation in operations:
                match operation[0]:
                    case "rest":
                        await asyncio.sleep(0)
                    case "settle":
                        if watched.watcher is None:
                            await watched.start()
                        await watched.settle()
                        assert watched.folded() == watched.real()
                    case "restart":
                        await watched.again()
                        assert watched.folded() == watched.real()
                    case "away":
                        await watched.stop()
                    case _:
                        with contextlib.suppress(OSError):
                            _do(watched.root, operation)
            if watched.watcher is None:
                await watched.start()
            await watched.settle()
            assert watched.folded() == watched.real()
            assert await watched.settle() == []
            assert watched.problems == []
        finally:
            await watched.stop()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_OPERATIONS, max_size=25))
def test_facts_add_up_to_the_tree(operations: list[tuple[str, ...]]) -> None:
    asyncio.run(_run(operations))
