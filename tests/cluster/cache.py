"""What takes minutes to make is made once, into a folder outside the checkout, under a name that says what from."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_KEPT = 2


def folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "jelmore-tests"


def key(*words: str, files: Iterable[Path] = (), below: Path = ROOT) -> str:
    """Of the words, and of the files' names below `below`, modes and contents."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{word}\0".encode())
    for file in sorted(files):
        executable = bool(file.stat().st_mode & 0o111)
        content = file.read_bytes()
        digest.update(f"{file.relative_to(below)}\0{executable}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def made(name: str, make: Callable[[Path], None]) -> Path:
    """
    The entry `name`, made by `make` (called with an empty folder for it) where it is not there yet.

    An entry is whole or absent, whatever interrupts the making.
    """
    entry = folder() / name
    if entry.exists():
        return entry
    folder().mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder()))
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(entry)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return entry


def keep_newest(prefix: str) -> None:
    """Removes the entries of that prefix but the last few made: other checkouts may be using those."""
    entries = sorted(folder().glob(f"{prefix}*"), key=lambda it: it.stat().st_mtime, reverse=True)
    for entry in entries[_KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def lock(what: str) -> Iterator[None]:
    """One preparation of it at a time; the others wait, and then find everything made."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f".lock-{what}").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another run is preparing the {what}: waiting for it ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
