"""Our reading of ignore files against git's own."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jelmore_agent.workspace import ignore
from tests.support.workspace import GIT, git

_PIECES = st.sampled_from(
    ["a", "b", "ab", "*", "?", "**", "/", "/", "[ab]", "[!a]", "[^b]", "[a-b]", "[]a]", "[[:alpha:]]", "[b-a]",
     "\\", "\\*", ".", "é", " ", "[", "#", "!", "-"]
)  # fmt: skip
_PATTERNS = st.lists(_PIECES, min_size=1, max_size=5).map("".join)
_LINES = st.builds("{}{}{}".format, st.sampled_from(["", "", "!"]), _PATTERNS, st.sampled_from(["", "", "/"]))
_NAMES = st.text("ab.é* -#[]!\\", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
_PATHS = st.lists(_NAMES, min_size=1, max_size=3)


def _ignored_by_us(rules: tuple[ignore.Rule, ...], components: list[bytes]) -> bool:
    """As the tracker asks: from the top down, and nothing below what is ignored."""
    for length in range(1, len(components) + 1):
        if ignore.decide(rules, components[:length], is_directory=length < len(components)):
            return True
    return False


def _ignored_by_git(folder: Path, paths: list[bytes]) -> set[bytes]:
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    given_paths = b"".join(path + b"\0" for path in paths)
    done = subprocess.run(command, cwd=folder, env=GIT, input=given_paths, capture_output=True, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.split(b"\0")) - {b""}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "-q")
    return folder


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(_LINES, min_size=1, max_size=3), paths=st.lists(_PATHS, min_size=1, max_size=8))
def test_rules_are_read_as_git_reads_them(repository: Path, lines: list[str], paths: list[list[str]]) -> None:
    text = "\n".join(lines).encode()
    (repository / ".gitignore").write_bytes(text)
    rules = ignore.parse(text)
    joined = {"/".join(names).encode(): [name.encode() for name in names] for names in paths}
    ignored = {path for path, components in joined.items() if _ignored_by_us(rules, components)}
    assert ignored == _ignored_by_git(repository, list(joined))
