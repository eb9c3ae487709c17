"""The launcher's end of one connection to the agent: frames and descriptors in, frames out, never blocking.

Standard library only.
"""

import os
import socket
from collections import deque
from collections.abc import Iterator

from jelmore_agent.launcher.requests import Request, parse
from jelmore_agent.link.frames import Frame, FrameError, FrameReader, encode
from jelmore_agent.link.unix_socket import connect

_CHUNK = 65536
_MAX_UNSENT = 4 * 1024 * 1024  # bytes: an agent that does not read is cut off, and learns all from the next hello


class Connection:
    """Raises OSError if no agent listens at `path`."""

    def __init__(self, path: str) -> None:
        self._socket = connect(path)
        self._reader = FrameReader()
        self._unsent = bytearray()
        self._received: deque[int] = deque()  # descriptors, in the order of the `start` frames that they came with

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def requests(self) -> Iterator[Request]:
        """What the agent asks for in what has arrived.

        Raises ConnectionError at the connection's end, FrameError where the agent breaks the protocol. Both
        leave nothing to do but to close the connection.
        """
        try:
            data, descriptors, flags, _ = socket.recv_fds(self._socket, _CHUNK, 4, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        self._received.extend(descriptors)
        if flags & socket.MSG_CTRUNC:
            raise FrameError("more descriptors than a frame may carry, or than the limit of open files allows")
        if not data:
            raise ConnectionResetError("the agent closed the connection")
        for frame in self._reader.feed(data):
            request = parse(frame)
            if request is not None:
                yield request

    def take_descriptor(self) -> int:
        """The descriptor that came with the `start` now dealt with; it is the caller's. Raises FrameError."""
        if not self._received:
            raise FrameError("start came without the spool's descriptor")
        return self._received.popleft()

    def send(self, frame: Frame) -> None:
        """Sends it now or, by `flush`, later; nothing to an agent that has hung up, or that does not read.

        What such an agent had asked before is still to be read.
        """
        self._unsent += encode(frame)
        self.flush()
        if len(self._unsent) > _MAX_UNSENT:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._unsent.clear()

    def flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._unsent.clear()

    def close(self) -> None:
        for descriptor in self._received:
            os.close(descriptor)
        self._socket.close()
