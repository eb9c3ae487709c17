"""The agent's own bare repository: one tree of the session's start, one of now, and git's words for the difference."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from jelmore_agent.lifetime import die_with_parent
from jelmore_contract.agent_config import SESSION_MARK

#: Bytes of a patch.
PATCH_LIMIT = 512 * 1024
_FIGURES_LIMIT = 8 << 20
_START = "refs/heads/start"
_NOW = "refs/heads/now"
_ATTRIBUTES = "* -text !filter !ident !working-tree-encoding !diff !merge !whitespace\n"
# Paths are bytes here, as on the disk; what Windows and macOS would make of them is of no matter.
_SETTINGS = (
    *("-c", "core.protectNTFS=false", "-c", "core.protectHFS=false", "-c", "core.attributesFile=/dev/null"),
    *("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "pack.threads=1", "-c", "core.fsmonitor=false"),
)
_DIFF = ("diff-tree", "-r", "-M", "-l400", "--no-ext-diff", "--no-textconv", "--no-color", _START, _NOW)


class Content(NamedTuple):
    """A file to be stored. `mode`: git's. `data` None: it is gone."""

    path: bytes
    mode: bytes = b""
    data: bytes | None = None


class Difference(NamedTuple):
    """`patch` is cut between files; `truncated` says so."""

    files: int
    insertions: int
    deletions: int
    patch: bytes
    truncated: bool


class TooSlow(Exception):
    """The time is up."""


class Shadow:
    """In `folder`, which only the agent writes. `deadline`: of the monotonic clock. Methods raise TooSlow, OSError,
    subprocess.CalledProcessError.
    """

    def __init__(self, folder: Path, deadline: float) -> None:
        self._directory = folder / "shadow.git"
        self._deadline = deadline
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", SESSION_MARK) if name in os.environ},
            "HOME": str(folder),
            "GIT_DIR": str(self._directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def prepare(self) -> None:
        if not (self._directory / "HEAD").exists():
            self._run("init", "--quiet", "--bare", "--template=")
        (self._directory / "info").mkdir(exist_ok=True)
        (self._directory / "info/attributes").write_text(_ATTRIBUTES)

    def started(self) -> bool:
        """Whether the session's start is stored."""
        return bool(self._run("for-each-ref", _START))

    def store(self, contents: Iterator[Content], *, start: bool) -> None:
        """Lays what changed over the tree of now; `start`: that is the session's start, too."""
        tree = b"" if start else self._run("rev-parse", f"{_NOW}^{{tree}}").strip()
        process = self._spawn("fast-import", "--quiet", "--force", "--done", "--date-format=raw", stdin=subprocess.PIPE)
        assert process.stdin is not None
        try:
            process.stdin.write(_commit(_NOW) + (b"M 040000 %s \n" % tree if tree else b""))
            for content in contents:
                process.stdin.write(_change(content))
            process.stdin.write(b"\n" + (b"reset %s\nfrom %s\n\n" % (_START.encode(), _NOW.encode()) if start else b""))
            process.stdin.write(b"done\n")
            process.stdin.close()
            if process.wait(self._left()) != 0:
                raise subprocess.CalledProcessError(process.returncode, "git fast-import")
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        finally:
            _end(process)

    def difference(self) -> Difference:
        files = insertions = deletions = 0
        figures, whole = self._bounded(_FIGURES_LIMIT, *_DIFF, "--numstat")
        for line in figures.splitlines():
            added, removed, _ = line.split(b"\t", 2)
            files += 1
            insertions += int(added) if added.isdigit() else 0
            deletions += int(removed) if removed.isdigit() else 0
        patch, complete = self._bounded(PATCH_LIMIT, *_DIFF, "--patch")
        if not complete:
            patch = patch[: patch.rfind(b"\ndiff --git ") + 1]
        return Difference(files, insertions, deletions, patch, not (whole and complete))

    def tidy(self) -> None:
        """Forgets what no tree holds any more."""
        self._run("gc", "--quiet", "--prune=now")

    def packs(self) -> int:
        return sum(1 for _ in self._directory.glob("objects/pack/*.pack"))

    def _bounded(self, limit: int, *arguments: str) -> tuple[bytes, bool]:
        """At most `limit` bytes of what git says, and whether that is all."""
        process = self._spawn(*arguments)
        assert process.stdout is not None
        said = bytearray()
        try:
            while len(said) <= limit and (part := process.stdout.read(65_536)):
                said += part
                self._left()
            if len(said) > limit:
                return bytes(said[:limit]), False
            if process.wait(self._left()) != 0:
                raise subprocess.CalledProcessError(process.returncode, "git diff-tree")
            return bytes(said), True
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        finally:
            _end(process)

    def _run(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *_SETTINGS, *arguments],
                env=self._environment,
                cwd=self._environment["HOME"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=self._left(),
                preexec_fn=die_with_parent,
            )
        except subprocess.TimeoutExpired:
            raise TooSlow from None
        return done.stdout

    def _spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        out = subprocess.DEVNULL if stdin == subprocess.PIPE else subprocess.PIPE
        return subprocess.Popen(
            ["git", *_SETTINGS, *arguments],
            env=self._environment,
            cwd=self._environment["HOME"],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        return left


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


def _commit(ref: str) -> bytes:
    """Without a parent: what no tree holds any more can go."""
    return b"commit %s\ncommitter jelmore <> 0 +0000\ndata 0\n\n" % ref.encode()


def _change(content: Content) -> bytes:
    path = b'"' + content.path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    if content.data is None:
        return b"D %s\n" % path
    return b"M %s inline %s\ndata %d\n%s\n" % (content.mode, path, len(content.data), content.data)
