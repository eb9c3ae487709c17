"""Why a start failed: one sentence that names the thing and the remedy."""

import errno
import re
from pathlib import Path


class StartError(Exception):
    """`str()` of it is that sentence, for a person to read. It never holds a secret."""


_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+):")


def disk_full(folder: Path) -> StartError:
    return StartError(f"The disk that holds {folder} is full: make room on it, then start again.")


def from_os_error(error: OSError, what: str, folder: Path) -> StartError:
    """For an error of the system while something of ours was written or started."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder)
    place = error.filename or folder
    if error.errno in (errno.EACCES, errno.EPERM):
        return StartError(
            f"{what}: no permission for {place}: give it to the user who starts Jelmore (chown),"
            " or set JELMORE_HOME to a folder of theirs."
        )
    if error.errno == errno.EROFS:
        return StartError(f"{what}: {place} cannot be written to; set JELMORE_HOME to a folder on a writable disk.")
    return StartError(f"{what}: {place}: {error.strerror}.")


def from_output(output: str, name: str, folder: Path, log: Path) -> StartError:
    """For a server that ended during its start, by what it said."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return disk_full(folder)
    if missing := _MISSING_LIBRARY.search(output):
        return StartError(
            f"{name} needs the system library {missing[1]}, which is not installed: install its package"
            " (on Debian 12: apt install libicu72 libxml2 libgssapi-krb5-2 liblz4-1 libzstd1), then start again."
        )
    if "ermission denied" in output:
        return StartError(
            f"{name} may not use its data in {folder} (see {log}):"
            " give the folder back to the user who it belonged to (chown -R)."
        )
    return StartError(
        f"{name} cannot start from its data in {folder}, which may be damaged (see {log}):"
        " restore that folder from a backup, or move it away to begin without data."
    )
