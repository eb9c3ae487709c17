"""Unix sockets with long paths, over the remains of dead listeners, whatever the umask."""

import gc
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jelmore_agent.link.unix_socket import connect, listen


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Longer than the 107 bytes of a socket address."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    return str(folder / "agent.sock")


def greets(listener: socket.socket, path: str) -> bool:
    with connect(path) as near:
        far, _ = listener.accept()
        with far:
            far.send(b"hello")
            return near.recv(5) == b"hello"


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_a_listener_is_for_whom_its_mode_says(path: str, mode: int) -> None:
    with listen(path, mode) as listener:
        assert greets(listener, path)
        assert stat.S_IMODE(Path(path).stat().st_mode) == mode
        assert [entry.name for entry in Path(path).parent.iterdir()] == ["agent.sock"]


def test_a_dead_listeners_file_is_replaced(path: str) -> None:
    listen(path, 0o600).close()
    Path(path).with_name(f".{os.getpid()}.new").touch()  # one that died before it had its name
    with pytest.raises(ConnectionRefusedError):
        connect(path)
    with listen(path, 0o600) as listener:
        assert greets(listener, path)


def test_nobody_there(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        connect(path)
    with pytest.raises(FileNotFoundError):
        connect("/nowhere/at/all/agent.sock")


def test_no_descriptor_is_left_open(path: str) -> None:
    gc.collect()  # what others have left behind goes now, and not in between
    before = len(list(Path("/proc/self/fd").iterdir()))
    with listen(path, 0o600) as listener:
        assert greets(listener, path)
    with pytest.raises(OSError, match="refused"):
        connect(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
