"""One inotify instance for everything that an agent watches, read by the event loop.

A uid has 128 instances on a stock kernel (`fs.inotify.max_user_instances`), so spool and workspace share one.
Written on ctypes rather than taken from a package: asyncinotify 4.4 runs `ldconfig` when imported, opens an epoll
descriptor of its own, and makes path objects of every event, which a burst in the workspace makes expensive.
"""

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable
from enum import IntFlag
from pathlib import Path

#: Called with (watch descriptor, mask, name in the directory or ""). The name holds surrogates where it is no UTF-8.
Callback = Callable[[int, int, str], None]


class Mask(IntFlag):
    """The bits of inotify(7) in use here."""

    MODIFY = 0x00000002
    ATTRIB = 0x00000004
    CLOSE_WRITE = 0x00000008
    MOVED_FROM = 0x00000040
    MOVED_TO = 0x00000080
    CREATE = 0x00000100
    DELETE = 0x00000200
    DELETE_SELF = 0x00000400
    MOVE_SELF = 0x00000800
    OVERFLOW = 0x00004000
    IGNORED = 0x00008000
    ONLYDIR = 0x01000000
    EXCL_UNLINK = 0x04000000


_HEADER = struct.Struct("iIII")  # wd, mask, cookie, length of the name that follows
_READ_SIZE = 64 * 1024
#: After a read that brought only patient watches' events the next one waits so long (seconds): a program that writes
#: line by line then costs 200 wake-ups a second at most, since the kernel merges equal events in the queue meanwhile.
_PATIENCE = 0.005

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Inotify:
    """Watches, each with its callback. Construct it inside a running event loop; `close` frees everything.

    Where the kernel gives no instance, `available` is False and `add_watch` raises OSError(ENOSYS): watchers poll.
    When the kernel's queue overflows, every distinct callback is called once with (-1, Mask.OVERFLOW, "") and looks
    at everything it watches again.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callback] = {}
        self._patient: set[int] = set()
        self._resume: asyncio.TimerHandle | None = None
        try:
            self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            self._fd = -1
            return
        self._loop.add_reader(self._fd, self._readable)

    @property
    def available(self) -> bool:
        return self._fd >= 0

    def add_watch(self, target: int | Path, mask: int, callback: Callback, *, patient: bool = False) -> int:
        """Watches a file or directory, given by path or by open descriptor (O_PATH will do), and returns the watch
        descriptor. An inode has one watch: a second call for it returns the same number and replaces mask and callback.
        `patient` watches may be told some milliseconds late. Raises OSError; ENOSPC: the user's watches are used up.
        """
        if not self.available:
            raise OSError(errno.ENOSYS, "inotify is not available")
        path = f"/proc/self/fd/{target}" if isinstance(target, int) else target
        wd = _checked(_libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask)))
        self._callbacks[wd] = callback
        (self._patient.add if patient else self._patient.discard)(wd)
        return wd

    def remove_watch(self, wd: int) -> None:
        """Ends a watch; one that ended by itself (its directory was deleted) is fine. Nothing is called for it again.
        Ends a watch; one that ended by itself (its directory was deleted) is fine. Nothing is called for it again.
        """
        self._patient.discard(wd)
        if self._callbacks.pop(wd, None) is not None and self.available:
            _libc.inotify_rm_watch(self._fd, wd)

    def drain(self) -> None:
        """Calls back for all that the kernel has queued so far, so for all that happened before this call."""
        if self.available:
            # A program that never stops writing must not keep us here: the queue's limit is 16,384 events by default.
            for _ in range(64):
                if not self._read():
                    break

    def close(self) -> None:
        if self.available:
            if self._resume is not None:
                self._resume.cancel()
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._callbacks.clear()
        self._patient.clear()

    def _readable(self) -> None:
        wds = self._read()
        if wds and self.available and wds <= self._patient:
            self._loop.remove_reader(self._fd)
            self._resume = self._loop.call_later(_PATIENCE, self._listen)

    def _listen(self) -> None:
        self._resume = None
        if self.available:
            self._loop.add_reader(self._fd, self._readable)

    def _read(self) -> set[int]:
        """Reads once and calls back; returns the watches that had events (known ones), empty when nothing was queued.
        Reads once and calls back; returns the watches that had events (known ones), empty when nothing was queued.
        """
        try:
            data = os.read(self._fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return set()
        wds: set[int] = set()
        position = 0
        while position < len(data):
            wd, mask, _, length = _HEADER.unpack_from(data, position)
            start = position + _HEADER.size
            position = start + length
            wds.add(wd)
            self._dispatch(wd, mask, data[start:position].rstrip(b"\0"))
        return wds

    def _dispatch(self, wd: int, mask: int, name: bytes) -> None:
        if mask & Mask.OVERFLOW:
            for callback in set(self._callbacks.values()):
                callback(-1, Mask.OVERFLOW, "")
            return
        known = self._callbacks.get(wd)
        if mask & Mask.IGNORED:
            self._callbacks.pop(wd, None)
            self._patient.discard(wd)
        if known is not None:
            known(wd, mask, os.fsdecode(name))
