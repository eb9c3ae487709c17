"""The machine: git, the data folder, the API's port, and the limits of its kernel."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from jelmore_local.doctor.finding import Finding, bad, note, ok
from jelmore_local.doctor.programs import version_of
from jelmore_local.instance import check_port
from jelmore_local.servers import StartError
from jelmore_local.settings import Settings

_GIB = 1 << 30
_LEAST_FREE, _LITTLE_FREE = _GIB // 4, 2 * _GIB
#: What sessions take of inotify: one instance each, and a watch for each folder of a workspace.
_WATCHES, _INSTANCES = 8_192, 128
_OPEN_FILES = 1_024
_INOTIFY = Path("/proc/sys/fs/inotify")


def git(_: Settings) -> Iterator[Finding]:
    program = shutil.which("git")
    version = version_of(program, "--version") if program else None
    if version is None:
        yield bad("git", "it is not installed", "install git: sessions that clone or commit need it")
    else:
        yield ok("git", f"git {version}")


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Raises OSError."""
    home = settings.home
    there = _existing(home)
    if not there.is_dir():
        yield bad("data folder", f"{there} is no folder", "move it away, or set JELMORE_HOME to another folder")
        return
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        remedy = "give it to the user who starts Jelmore (chown), or set JELMORE_HOME to a folder of theirs"
        yield bad("data folder", f"no permission for {there}", remedy)
        return
    if home.exists() and home.stat().st_mode & 0o077:
        yield bad("data folder", f"others may look into {home}", f"chmod 700 {home}: secrets lie in it")
    else:
        yield ok("data folder", str(home) if home.exists() else f"{home} will be made")
    free = shutil.disk_usage(there).free
    told = f"{free / _GIB:.1f} GiB free for {home}"
    if free < _LEAST_FREE:
        yield bad("disk", told, "make room: without any, sessions are paused")
    elif free < _LITTLE_FREE:
        yield note("disk", told, "make room before long")
    else:
        yield ok("disk", told)


def port(settings: Settings) -> Iterator[Finding]:
    """Raises OSError."""
    pid = running(settings.home)
    if pid is not None:
        yield ok("running", f"`jelmore up` runs on {settings.home} (process {pid})")
        return
    yield note("running", f"no `jelmore up` on {settings.home}")
    if settings.port == 0:
        return
    try:
        check_port(settings.host, settings.port)
    except StartError as error:
        detail, _, remedy = str(error).rstrip(".").partition(": ")
        yield bad("port", detail, remedy)
    else:
        yield ok("port", f"{settings.port} of {settings.host} is free")


def running(home: Path) -> int | None:
    """The process that runs Jelmore on a data folder. Raises OSError.

    As the kernel tells it: trying the lock could keep a start at the same moment from having it.
    """
    try:
        inode = (home / "lock").stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "FLOCK" in fields and fields[-3].endswith(f":{inode}"):
            return int(fields[-4])
    return None


def inotify(_: Settings) -> Iterator[Finding]:
    """Raises OSError."""
    for name, least in (("max_user_watches", _WATCHES), ("max_user_instances", _INSTANCES)):
        try:
            limit = int((_INOTIFY / name).read_text())
        except FileNotFoundError:
            yield note("inotify", "this system has none: workspaces are looked through now and then instead")
            return
        told = f"fs.inotify.{name} is {limit}"
        if limit < least:
            remedy = f"sysctl fs.inotify.{name}={least}: beyond it, workspaces are looked through instead"
            yield note("inotify", told, remedy)
        else:
            yield ok("inotify", told)


def files(_: Settings) -> Iterator[Finding]:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _OPEN_FILES:
        yield note("open files", f"{limit} at most", f"ulimit -n {min(most, 4 * _OPEN_FILES)}: sessions need some each")
    else:
        yield ok("open files", f"{limit} at most")


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return path if path.exists() or path == path.parent else _existing(path.parent)
