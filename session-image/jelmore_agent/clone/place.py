"""Where the clone grows and how it becomes the workspace: whole or not at all, whenever the process is killed.

It grows in `clone`. `cloned` is written once all of it is on disk; then `clone` takes the place of `workspace`, in one
step that a folder with anything in it refuses. So with `cloned` and no `clone` all is done, with both only that step is
missing, and without `cloned` it begins anew.
"""

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from jelmore_agent.clone.job import CloneError

_libc = ctypes.CDLL(None, use_errno=True)


def settle(volume: Path, clone_into: Callable[[Path], None]) -> bool:
    """Makes `workspace` what `clone_into` puts into the folder that it is given; False where that was done before.

    Raises CloneError, OSError.
    """
    growing, done, workspace = volume / "clone", volume / "cloned", volume / "workspace"
    if not done.exists():
        if any(workspace.iterdir()):
            raise CloneError("The workspace is not empty, and nothing is cloned over what is in it.")
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir()
        growing.chmod(workspace.stat().st_mode & 0o7777)
        clone_into(growing)
        _sync(volume)
        done.touch()
    elif not growing.exists():
        return False
    growing.rename(workspace)
    return True


def _sync(folder: Path) -> None:
    """All that was written to its file system is on disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)
