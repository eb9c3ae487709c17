"""One child of the parent: started, seen to end, started again when respawn.py says. Standard library only."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from jelmore_agent import stderr_log
from jelmore_agent.parent import respawn


class Child:
    """A Python module of ours as a process. `pid` is None while there is none; `code` is how the last one ended."""

    def __init__(self, module: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self.pid: int | None = None
        self.code = 0
        self._module = module
        self._argv = [sys.executable, "-I", "-m", module, *arguments]
        self._env = dict(env)
        self._started = 0.0
        self._pause = 0.0
        self._due = time.monotonic()

    def wait(self) -> float | None:
        """Seconds until it is to be started; None while it runs."""
        return None if self.pid is not None else max(0.0, self._due - time.monotonic())

    def start(self, descriptors: Sequence[int] = ()) -> None:
        """`descriptors`: what it inherits, and is told the numbers of as its last arguments."""
        # Onto itself: it stays open in the child, and only there.
        passed = [(os.POSIX_SPAWN_DUP2, number, number) for number in descriptors]
        argv = [*self._argv, *map(str, descriptors)]
        self._started = time.monotonic()
        try:
            self.pid = os.posix_spawn(argv[0], argv, self._env, file_actions=passed, setsigmask=())
        except OSError as error:  # a moment's want of memory or processes
            stderr_log.log("parent", "child not started", child=self._module, error=str(error))
            self.ended(error.errno or 1)

    def ended(self, code: int) -> None:
        now = time.monotonic()
        self.pid = None
        self.code = code
        self._pause = respawn.pause(self.code, now - self._started, self._pause)
        self._due = now + self._pause
        stderr_log.log("parent", "child ended", child=self._module, code=self.code, again_in=self._pause)

    def send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)
