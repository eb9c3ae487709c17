"""Opening and reading below a directory that somebody hostile may be rearranging at this moment.

No symbolic link is followed and nothing above the root is reached, whatever is renamed meanwhile: the kernel resolves
the path (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, Linux 5.6), or each component is opened by itself.
"""

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path

_SYS_OPENAT2 = 437  # the same number on every architecture but Alpha
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_OPEN_HOW = struct.Struct("QQQ")  # struct open_how: flags, mode, resolve
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: PATH_MAX less its terminator: no longer path can be given to the kernel.
LONGEST_PATH = 4095

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _openat2(directory: int, path: bytes, flags: int) -> int:
    how = _OPEN_HOW.pack(flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    code = errno.EAGAIN
    for _ in range(16):  # EAGAIN: something was renamed during the resolution
        fd = int(
            _libc.syscall(
                ctypes.c_long(_SYS_OPENAT2), ctypes.c_int(directory), path, how, ctypes.c_size_t(_OPEN_HOW.size)
            )
        )
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code != errno.EAGAIN:
            break
    raise OSError(code, os.strerror(code), os.fsdecode(path))


def _open_stepwise(directory: int, path: str, flags: int) -> int:
    """The same by one open for each component, for kernels (or seccomp profiles) without openat2."""
    *parents, last = path.split("/")
    if ".." in (last, *parents):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    current = os.dup(directory)
    try:
        for component in parents:
            following = os.open(component, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = following
        return os.open(last, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
    finally:
        os.close(current)


class Root:
    """A directory and what lies below it. Paths are relative, with `/`, "" being the directory itself."""

    def __init__(self, path: Path) -> None:
        """`path` itself may be or hold links: it is the owner's own choice. Raises OSError where there is no
        directory.
        """
        self.path = Path(os.path.realpath(path))
        self._fd = os.open(self.path, _DIRECTORY)
        self._stepwise = False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def refresh(self) -> None:
        """Follows a root that was deleted and made again. Does nothing while there is none."""
        try:
            fd = os.open(self.path, _DIRECTORY)
        except OSError:
            return
        os.close(self._fd)
        self._fd = fd

    def usable(self) -> bool:
        """Whether the directory is still in its place, and can be looked into."""
        try:
            return os.path.samestat(self.path.lstat(), os.fstat(self._fd)) and os.access(self.path, os.R_OK | os.X_OK)
        except OSError:
            return False

    def open(self, path: str, flags: int) -> int:
        """Opens what lies at `path`; a last component that is a link is an error too. Raises OSError."""
        name = path or "."
        if not self._stepwise:
            try:
                return _openat2(self._fd, os.fsencode(name), flags | os.O_NOFOLLOW)
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.EPERM):
                    raise
                self._stepwise = error.errno == errno.ENOSYS
        return _open_stepwise(self._fd, name, flags)

    def open_directory(self, path: str, *, listing: bool) -> int:
        """Opens a directory to list it, or only to look at names in it. Raises OSError."""
        return self.open(path, os.O_DIRECTORY | (os.O_RDONLY if listing else os.O_PATH))

    def open_file(self, path: str) -> int:
        """Opens a regular file to read. Raises OSError, also for anything else: a FIFO does not block, a link fails."""
        fd = self.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
        except OSError:
            os.close(fd)
            raise
        return fd

    def read(self, path: str, limit: int) -> bytes | None:
        """At most `limit` bytes of a regular file; None where there is none that can be read."""
        try:
            fd = self.open_file(path)
        except OSError:
            return None
        try:
            return read_at(fd, 0, limit)
        except OSError:
            return None
        finally:
            os.close(fd)

    def stat(self, path: str) -> os.stat_result | None:
        """What lies at `path`, a link being itself; None where there is nothing that can be reached."""
        parent, _, name = path.rpartition("/")
        try:
            fd = self.open_directory(parent, listing=False)
        except OSError:
            return None
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            return None
        finally:
            os.close(fd)


def read_at(fd: int, offset: int, limit: int) -> bytes:
    """Up to `limit` bytes from `offset`, fewer only at the end of the file, whatever size it claims to have."""
    parts: list[bytes] = []
    while limit > 0 and (part := os.pread(fd, min(limit, 1 << 16), offset)):
        parts.append(part)
        offset += len(part)
        limit -= len(part)
    return b"".join(parts)
