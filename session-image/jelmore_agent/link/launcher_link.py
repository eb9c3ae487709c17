"""The agent's end of the link (README.md): it listens for its launcher, tells what the launcher says, asks it
for things.

Level-based: nothing that is asked for survives a lost connection, and every connection begins with a `Hello`
from which the agent decides afresh what is to be done.
"""

import asyncio
import hmac
import logging
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from jelmore_agent.link.events import Disconnected, Hello, LinkEvent, Said, parse
from jelmore_agent.link.frames import Frame, FrameError, FrameReader, encode
from jelmore_agent.link.unix_socket import listen

HELLO_TIMEOUT = 5.0  # seconds in which a connection has to say who it is
_CHUNK = 65536
_MAX_BODY = 1024 * 1024  # bytes of a frame from the launcher: the tails of stderr are the longest
_MAX_UNSENT = 128 * 1024 * 1024  # bytes; the launcher always reads, unless it is stopped itself

_log = logging.getLogger(__name__)


class LauncherLink:
    """Use as `async with LauncherLink.serve(path, nonce, mode) as link`, then `async for event in link`.

    The methods that ask for something return at once. They raise ConnectionError when no launcher is
    connected, and ValueError for what does not fit into a frame; then nothing was sent.
    """

    def __init__(self, listener: socket.socket, nonce: str) -> None:
        self._listener = listener
        self._nonce = nonce
        self._events: asyncio.Queue[LinkEvent] = asyncio.Queue()
        self._peer: _Peer | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def serve(cls, path: str, nonce: str, mode: int = 0o600) -> AsyncIterator[Self]:
        """Listens at `path`, a socket of this mode, as long as the context is open. Raises OSError if it cannot."""
        listener = listen(path, mode)
        identity = Path(path).stat().st_ino
        link = cls(listener, nonce)
        accepting = asyncio.create_task(link._accept())
        try:
            yield link
        finally:
            tasks = [accepting, *link._connections]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            listener.close()
            with suppress(FileNotFoundError):
                if Path(path).stat().st_ino == identity:  # not one that another agent has put there since
                    Path(path).unlink()

    @property
    def connected(self) -> bool:
        return self._peer is not None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LinkEvent:
        """The next event, oldest first. Between a Hello and its Disconnected stands what one launcher said."""
        return await self._events.get()

    def start(self, run: int, argv: list[str], env: dict[str, str | None], cwd: str, spool: int) -> None:
        """Asks for a new CLI; answered by Started or Refused. `spool`: a descriptor opened with O_APPEND,
        which remains the caller's.
        """
        self._send({"type": "start", "run": run, "argv": argv, "env": env, "cwd": cwd}, spool)

    def write(self, run: int, token: str, line: str | bytes) -> None:
        """Asks for a line (without its newline) on the CLI's stdin; answered by Written or Refused with
        `token`.
        """
        text = line if isinstance(line, str) else line.decode()
        text.encode()  # a lone surrogate has no form on stdin
        if "\n" in text:
            raise ValueError("a line holds a newline")
        self._send({"type": "write", "run": run, "token": token, "line": text})

    def close_stdin(self, run: int) -> None:
        """After what is queued: the CLI finishes its turn and ends."""
        self._send({"type": "close_stdin", "run": run})

    def signal(self, run: int, number: int) -> None:
        """SIGINT, SIGTERM or SIGKILL to the CLI."""
        self._send({"type": "signal", "run": run, "signal": int(number)})

    def confirm(self, run: int) -> None:
        """The exit of that run is on disk: the launcher may forget it."""
        self._send({"type": "confirm", "run": run})

    def bye(self) -> None:
        """The session is over for this launcher: it ends once no CLI is alive."""
        self._send({"type": "bye"})

    def _send(self, frame: Frame, descriptor: int | None = None) -> None:
        if self._peer is None:
            raise ConnectionError("no launcher is connected")
        self._peer.send(encode(frame), descriptor)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._attend(_Peer(connection)))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _attend(self, peer: "_Peer") -> None:
        greeted = False
        try:
            async with asyncio.timeout(HELLO_TIMEOUT) as limit:
                while True:
                    for frame in await peer.receive():
                        said = parse(frame)
                        if not greeted:
                            self._greet(peer, said)
                            greeted = True
                            limit.reschedule(None)
                        elif self._peer is not peer:
                            return
                        elif said is not None:
                            self._events.put_nowait(said)
        except TimeoutError:
            _log.warning("a connection that did not say hello was closed")
        except (OSError, FrameError) as error:
            _log.info("a connection has ended: %s", error)
        finally:
            self._part(peer)
            peer.close()

    def _greet(self, peer: "_Peer", said: Said | None) -> None:
        """Takes the connection for the launcher's, in the place of an earlier one. Raises FrameError if it is
        not.
        """
        if not isinstance(said, Hello) or not hmac.compare_digest(said.nonce.encode(), self._nonce.encode()):
            raise FrameError("it is not from this session's launcher: no hello, or a wrong nonce")
        if self._peer is not None:
            earlier = self._peer
            self._part(earlier)
            earlier.hang_up()
        self._peer = peer
        self._events.put_nowait(said)

    def _part(self, peer: "_Peer") -> None:
        if self._peer is peer:
            self._peer = None
            self._events.put_nowait(Disconnected())


class _Peer:
    """One connection: frames and descriptors out, frames in."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader(_MAX_BODY)
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._size = 0
        self._waiting = False  # for the socket to become writable

    async def receive(self) -> Iterator[Frame]:
        """The next frames. Raises ConnectionError at the end, FrameError (also from the iterator)."""
        data = await asyncio.get_running_loop().sock_recv(self._socket, _CHUNK)
        if not data:
            raise ConnectionResetError("the launcher closed it")
        return self._reader.feed(data)

    def send(self, data: bytes, descriptor: int | None) -> None:
        """Raises ConnectionError."""
        if self._size + len(data) > _MAX_UNSENT:
            raise ConnectionError("the launcher does not read")
        self._unsent.append((memoryview(data), None if descriptor is None else os.dup(descriptor)))
        self._size += len(data)
        if not self._waiting:
            self._flush()

    def _flush(self) -> None:
        """Raises ConnectionError."""
        try:
            while self._unsent:
                self._send_some()
        except BlockingIOError:
            self._wait_writable()
        except ConnectionError:
            self._drop_unsent()
            raise

    def _send_some(self) -> None:
        data, descriptor = self._unsent[0]
        if descriptor is None:
            count = self._socket.send(data)
        else:
            count = socket.send_fds(self._socket, [data], [descriptor])
            os.close(descriptor)
        self._size -= count
        if count < len(data):
            self._unsent[0] = data[count:], None
        else:
            self._unsent.popleft()

    def _wait_writable(self) -> None:
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().add_writer(self._socket, self._on_writable)

    def _on_writable(self) -> None:
        self._stop_waiting()
        with suppress(ConnectionError):  # who reads the connection sees its end too
            self._flush()

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            asyncio.get_running_loop().remove_writer(self._socket)

    def _drop_unsent(self) -> None:
        for _, descriptor in self._unsent:
            if descriptor is not None:
                os.close(descriptor)
        self._unsent.clear()
        self._size = 0

    def hang_up(self) -> None:
        """Lets `receive` come to its end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stop_waiting()
        self._drop_unsent()
        self._socket.close()
