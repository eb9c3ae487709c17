"""Our reading of ignore files against git's own."""

import subprocess
import tempfile
from pathlib import Path

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


def _ignored_by_git(folder: Path, path: bytes) -> bool:
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, cwd=folder, env=GIT, input=path + b"\0", capture_output=True, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_LINES, min_size=1, max_size=3), _PATHS)
def test_rules_are_read_as_git_reads_them(lines: list[str], names: list[str]) -> None:
    components = [name.encode() for name in names]
    text = "\n".join(lines).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git(folder, "init", "-q")
        (folder / ".gitignore").write_bytes(text)
        path = folder.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        expected = _ignored_by_git(folder, b"/".join(components))
    assert _ignored_by_us(ignore.parse(text), components) == expected
