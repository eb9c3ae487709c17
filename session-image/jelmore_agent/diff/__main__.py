"""`python -m jelmore_agent.diff`: stores the workspace's start, or compares the workspace with it. Ends with its
agent.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from jelmore_agent.diff.files import Files, Signature, until
from jelmore_agent.diff.job import LIMIT, Job, Result
from jelmore_agent.diff.shadow import Content, Difference, Shadow, TooSlow
from jelmore_agent.lifetime import die_with_parent

_NICE = 10
#: Packs of the shadow repository, one a comparison, until it is tidied up.
_MOST_PACKS = 40
# Of the time, what is left to git once files are read no longer.
_SHARE = 0.6


class _State(msgspec.Struct):
    """What the tree of now holds. files: by path. left: what could not be compared, and how it was at the start (None:
    not there, []: otherwise unknown).
    """

    files: dict[str, Signature] = {}
    left: dict[str, Signature | None] = {}


class Comparison:
    """One job's."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._folder = Path(job.folder)
        self._began = time.monotonic()
        self._shadow = Shadow(self._folder, self._began + LIMIT)
        self._state_file = self._folder / "shadow.json"

    def run(self) -> Result:
        """Raises OSError, subprocess.CalledProcessError."""
        try:
            self._shadow.prepare()
            start = not self._shadow.started()
            if not start and self._job.patch is None:
                return Result()
            late = self._take_in(start=start)
            return self._told(self._shadow.difference(), late) if self._job.patch is not None else Result()
        except TooSlow:
            return Result(truncated=True)

    def _take_in(self, *, start: bool) -> bool:
        """Brings the tree of now up to date. Whether something that changed was left out."""
        state = _State() if start else self._read_state()
        files = Files(Path(self._job.workspace))
        try:
            seen = files.listing()
            changed = sorted(path for path, signature in seen.items() if state.files.get(path) != signature)
            self._shadow.store(self._contents(files, seen, changed, state, start=start), start=start)
        finally:
            files.close()
        self._write_state(state)
        return files.cut or any(seen.get(path) != before for path, before in state.left.items())

    def _contents(
        self, files: Files, seen: dict[str, Signature], changed: list[str], state: _State, *, start: bool
    ) -> Iterator[Content]:
        """What is to be stored; the state tells of it afterwards."""
        for path in [path for path in state.files if path not in seen]:
            del state.files[path]
            yield Content(os.fsencode(path))
        state.left = {path: before for path, before in state.left.items() if before != [] or path in seen}
        done = set()
        for path in until(self._began + _SHARE * LIMIT, changed):
            done.add(path)
            if state.left.get(path, []):
                continue  # at the start it was too large: there is nothing to compare it with
            content = files.content(path)
            if content is None:
                state.left.setdefault(path, seen[path] if start else [])
                continue
            if state.left.get(path) == []:
                del state.left[path]
            state.files[path] = seen[path]
            yield content
        for path in changed:
            if path not in done:
                state.left.setdefault(path, seen[path] if start else [])

    def _told(self, found: Difference, late: bool) -> Result:
        assert self._job.patch is not None
        (self._folder / self._job.patch).write_bytes(found.patch)
        if self._shadow.packs() > _MOST_PACKS:
            self._shadow.tidy()
        digest = hashlib.sha256(found.patch).hexdigest() if found.files else ""
        return Result(found.files, found.insertions, found.deletions, found.truncated or late, digest)

    def _read_state(self) -> _State:
        return msgspec.json.decode(self._state_file.read_bytes(), type=_State)

    def _write_state(self, state: _State) -> None:
        new = self._state_file.with_suffix(".new")
        new.write_bytes(_encoded(state))
        new.replace(self._state_file)


def _encoded(state: _State) -> bytes:
    """Names that are no UTF-8 are left out: they are read again each time."""
    try:
        return msgspec.json.encode(state)
    except UnicodeEncodeError:
        return msgspec.json.encode(_State(_plain(state.files), _plain(state.left)))


def _plain[T](by_path: dict[str, T]) -> dict[str, T]:
    return {path: value for path, value in by_path.items() if path == path.encode("utf-8", "replace").decode()}


def main() -> int:
    os.umask(0o077)
    os.nice(_NICE)
    die_with_parent()
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    # One that an agent before this one started may be at it still.
    lock = os.open(Path(job.folder) / "shadow.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        result = Comparison(job).run()
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        result = Result(problem=f"{type(error).__name__}: {error}"[:500])
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
