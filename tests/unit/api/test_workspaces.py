"""Which folders a session may be given."""

from pathlib import Path

import pytest

from jelmore_api.errors import Problem
from jelmore_api.sessions.workspaces import allowed_workspace
from jelmore_contract.errors import ProblemType


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tmp_path = tmp_path.resolve()
    for folder in ("projects/one/deep", "elsewhere/secret", "projects/.jelmore/sessions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "projects/file").write_text("")
    (tmp_path / "projects/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "projects/inner").symlink_to(tmp_path / "projects/one")
    (tmp_path / "projects/loop").symlink_to(tmp_path / "projects/loop")
    (tmp_path / "alias").symlink_to(tmp_path / "projects")
    return tmp_path


def ask(tree: Path, path: str, root: str = "projects") -> str:
    found = allowed_workspace(str(tree / path) if path else path, [tree / root], tree / "projects/.jelmore")
    return str(Path(found).relative_to(tree))


@pytest.mark.parametrize(
    ("path", "root", "real"),
    [
        ("projects/one", "projects", "projects/one"),
        ("projects/one/", "projects", "projects/one"),
        ("projects//one/./deep", "projects", "projects/one/deep"),
        ("projects/one", "projects/one", "projects/one"),  # a root itself
        ("alias/one", "alias", "projects/one"),  # the root's own link was chosen by whoever set it
        ("projects/one", "alias", "projects/one"),
    ],
)
def test_allowed(tree: Path, path: str, root: str, real: str) -> None:
    assert ask(tree, path, root) == real


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("elsewhere/secret", "must lie below"),
        ("elsewhere/nothing", "must lie below"),  # not told from the line above: what is there is nobody's business
        ("projectsx", "must lie below"),
        ("projects/one/../../elsewhere", "must lie below"),
        ("projects/one/..", "must lie below"),
        ("projects/link", "symbolic link"),
        ("projects/link/secret", "symbolic link"),
        ("projects/inner", "symbolic link"),
        ("projects/loop", "symbolic link"),
        ("alias/one", "must lie below"),
        ("projects/nothing", "does not exist"),
        ("projects/file", "is not a folder"),
        ("projects/.jelmore", "data folder"),
        ("projects/.jelmore/sessions", "data folder"),
        ("projects", "data folder"),  # its watcher would see the session's own log grow
    ],
)
def test_refused(tree: Path, path: str, why: str) -> None:
    with pytest.raises(Problem, match=why) as caught:
        ask(tree, path)
    assert caught.value.kind == ProblemType.WORKSPACE_NOT_ALLOWED
    assert [error.pointer for error in caught.value.errors] == ["#/workspace/path"]


def test_what_lies_outside_is_not_told(tree: Path) -> None:
    details = []
    for path in ("elsewhere/secret", "elsewhere/nothing", "projects/one/../../elsewhere/secret"):
        with pytest.raises(Problem) as caught:
            ask(tree, path)
        details.append(caught.value.detail)
    assert len(set(details)) == 1


def test_without_roots_no_path_is_allowed(tree: Path) -> None:
    with pytest.raises(Problem):
        allowed_workspace(str(tree / "projects/one"), [], tree / "home")
