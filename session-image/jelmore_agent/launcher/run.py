"""One run of the CLI: its process, its stdin as a queue of whole lines, the tail of its stderr, its disk.

Standard library only. Nothing here blocks: who owns the run calls `write_stdin` and `read_stderr` when the
descriptors are ready.
"""

import os
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from jelmore_agent.launcher.process import spawn
from jelmore_agent.launcher.requests import Start
from jelmore_agent.link.frames import Frame

MAX_QUEUED = 64 * 1024 * 1024  # bytes that wait for a CLI that does not read
STDERR_TAIL = 8 * 1024
_PIPE = 64 * 1024  # bytes that a pipe holds, and that it can be made to hold
_PIPE_MOST = 1024 * 1024


class Refusal(Exception):
    """Why something that the agent asked for is not done; the agent is told these words."""


class Run:
    """Raises OSError if the CLI cannot be started. Takes the spool's descriptor over, unless it raises."""

    def __init__(self, start: Start, env: Mapping[bytes, bytes], spool: int) -> None:
        spawned = spawn(start.argv, env, start.cwd, spool)
        self.number = start.run
        self.pid = spawned.pid
        self.stderr = spawned.stderr
        self.stderr_open = True  # until its end was read
        self.paused = False
        self.status: int | None = None  # the wait status, once the CLI (not yet all that it started) is gone
        self._stdin: int | None = spawned.stdin
        self._spool = spool
        self._tail = b""
        self._queue: deque[tuple[str, memoryview]] = deque()  # token, line: of the first what is still to write
        self._queued = 0
        self._closing = False

    @property
    def writable(self) -> int | None:
        """The descriptor of stdin, while something waits to be written to it."""
        return self._stdin if self._queue else None

    def enqueue(self, token: str, line: bytes) -> None:
        """Raises Refusal if stdin is closed, or the CLI has not read for so long that no more is kept for it."""
        if self._stdin is None or self._closing:
            raise Refusal("the CLI's stdin is closed")
        if self._queued + len(line) > MAX_QUEUED:
            raise Refusal(f"the CLI does not read: {self._queued} bytes are waiting for it")
        self._queue.append((token, memoryview(line + b"\n")))
        self._queued += len(line) + 1

    def write_stdin(self) -> tuple[list[str], list[str]]:
        """Writes what the pipe takes. The tokens of the lines that are now in it whole, and of those that
        never will.
        """
        written: list[str] = []
        if self._stdin is None:
            return written, []
        try:
            while self._queue:
                token, rest = self._queue[0]
                count = os.write(self._stdin, rest)
                self._queued -= count
                if count < len(rest):
                    self._queue[0] = token, rest[count:]
                    continue
                self._queue.popleft()
                written.append(token)
        except BlockingIOError:
            return written, []
        except BrokenPipeError:  # it closed its stdin, or is gone
            return written, self._drop_stdin()
        if self._closing:
            self._drop_stdin()
        return written, []

    def close_stdin(self) -> None:
        """Closes it after what is queued."""
        self._closing = True
        if not self._queue:
            self._drop_stdin()

    def _drop_stdin(self) -> list[str]:
        if self._stdin is not None:
            os.close(self._stdin)
        self._stdin = None
        lost = [token for token, _ in self._queue]
        self._queue.clear()
        self._queued = 0
        return lost

    def read_stderr(self) -> None:
        """Reads some of what is there."""
        with suppress(BlockingIOError):
            data = os.read(self.stderr, _PIPE)
            self._tail = (self._tail + data)[-STDERR_TAIL:]
            self.stderr_open = bool(data)

    def send_signal(self, number: int) -> None:
        """To the CLI's own process, if it is there."""
        if self.status is None:
            os.kill(self.pid, number)

    def free_disk(self) -> int:
        """Bytes that the CLI may still write where its spool is."""
        disk = os.fstatvfs(self._spool)
        return disk.f_bavail * disk.f_frsize

    def pause(self, paused: bool) -> None:
        """Stops the CLI's process group, or lets it go on."""
        self.paused = paused
        if self.status is None:
            os.killpg(self.pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def close(self) -> Frame:
        """Gives all descriptors back; the `exited` frame. To be called when the CLI and all that it started
        are gone.
        """
        assert self.status is not None
        for _ in range(_PIPE_MOST // _PIPE):
            self.read_stderr()
        self._drop_stdin()
        os.close(self.stderr)
        os.close(self._spool)
        code = os.waitstatus_to_exitcode(self.status)
        return {
            "type": "exited",
            "run": self.number,
            "code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "stderr": self._tail.decode(errors="replace"),
        }
