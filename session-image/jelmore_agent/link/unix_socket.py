"""Unix sockets whose paths may be longer than the 107 bytes that a socket address holds. Standard library
only.

A name is resolved below a descriptor of its folder (`/proc/self/fd/N/name`), so that only the name has to be
short.
"""

# pathlib would cost the launcher a megabyte.
# ruff: noqa: PTH101, PTH105, PTH108, PTH119, PTH120

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def _short_folder(path: str) -> Iterator[str]:
    folder = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}"
    finally:
        os.close(folder)


def connect(path: str) -> socket.socket:
    """A non-blocking stream connection. Raises OSError when nobody listens there (yet)."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.setblocking(False)
    try:
        with _short_folder(path) as folder:
            connection.connect(f"{folder}/{os.path.basename(path)}")
    except BaseException:
        connection.close()
        raise
    return connection


def listen(path: str, mode: int) -> socket.socket:
    """A non-blocking listener at `path` with exactly this mode, whatever the umask.

    It is bound under another name and renamed once its mode is right: what a dead listener left there is
    replaced in one step, and there is no moment at which somebody else could connect. Raises OSError.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.setblocking(False)
    try:
        with _short_folder(path) as folder:
            unnamed = f"{folder}/.{os.getpid()}.new"
            with suppress(FileNotFoundError):
                os.unlink(unnamed)
            listener.bind(unnamed)
            os.chmod(unnamed, mode)
            listener.listen(8)
            os.replace(unnamed, f"{folder}/{os.path.basename(path)}")
    except BaseException:
        listener.close()
        raise
    return listener
