"""`python -m jelmore_agent.parent CONFIG`: PID 1 of the sidecar.

The kubelet waits minutes before it starts a container again that died a few times, and a session without its agent
says nothing; so this process, which is too small to die, starts the agent again at once. Where the session's model is
paid by an API key or through a gateway (JELMORE_UPSTREAM_KIND), it runs `jelmore_proxy` as well, and holds the socket
on which that listens: what Claude runs shares this loopback, and could else take the port while the proxy is replaced.
The same goes for the port on which the proxy tells its figures.

SIGTERM: the agent publishes what is on disk, for at most `LIMIT` seconds, then all ends. Standard library only.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from jelmore_agent import stderr_log
from jelmore_agent.parent.child import Child

type Address = tuple[str, int]

#: Where the CLI finds the proxy, and whoever collects figures the proxy's; "" is every address of the pod.
PROXY_ADDRESSES: tuple[Address, Address] = (("127.0.0.1", 8377), ("", 8378))

#: Seconds; a pod's grace period leaves no more when its CLI took its time to end.
LIMIT = 20.0

_RETRY = 1.0  # seconds, while the port is taken
_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)
_UPSTREAM = "JELMORE_UPSTREAM_"


class Parent:
    """`limit`: seconds that the agent may take to publish the rest."""

    def __init__(self, config: str, proxy_addresses: Sequence[Address], limit: float) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(_UPSTREAM)}
        self._agent = Child("jelmore_agent.main", ["--drain", config], plain)
        proxied = f"{_UPSTREAM}KIND" in os.environ
        self._proxy = Child("jelmore_proxy", [], os.environ) if proxied else None
        self._listeners: dict[Address, socket.socket | None] = dict.fromkeys(proxy_addresses)
        self._limit = limit
        self._stop_at: float | None = None  # when the agent's time is over

    def run(self) -> int:
        """The exit code, after SIGTERM: 0 if the agent came to its end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            self._reap()
            timeout = self._look_after()
            if self._stop_at is not None and self._agent.pid is None:
                return 0 if self._agent.code == 0 else 1
            came = signal.sigtimedwait(_SIGNALS, timeout) if timeout is not None else signal.sigwaitinfo(_SIGNALS)
            if came is not None and came.si_signo == signal.SIGTERM:
                self._stop()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for child in (self._agent, self._proxy):
                    if child is not None and child.pid == ended[0]:
                        child.ended(os.waitstatus_to_exitcode(ended[1]))

    def _look_after(self) -> float | None:
        """Starts what is due. Seconds until something else is; None: nothing before a signal comes."""
        if self._stop_at is not None:
            left = self._stop_at - time.monotonic()
            if left <= 0:
                self._agent.send(signal.SIGKILL)
                return None
            return left
        waits = [self._look_after_child(self._agent)]
        if self._proxy is not None:
            sockets = self._listen()
            waits.append(self._look_after_child(self._proxy, sockets) if sockets else _RETRY)
        return min((wait for wait in waits if wait is not None), default=None)

    def _look_after_child(self, child: Child, descriptors: Sequence[int] = ()) -> float | None:
        if child.wait() == 0:
            child.start(descriptors)
        return child.wait()

    def _listen(self) -> list[int]:
        """The descriptors of the proxy's sockets; none while something else of the pod has one of its ports."""
        for address, listener in self._listeners.items():
            if listener is None:
                try:
                    self._listeners[address] = _listening(address)
                except OSError as error:
                    stderr_log.log("parent", "proxy's port", port=address[1], error=str(error))
        there = [listener.fileno() for listener in self._listeners.values() if listener is not None]
        return there if len(there) == len(self._listeners) else []

    def _stop(self) -> None:
        if self._stop_at is None:
            stderr_log.log("parent", "stopping")
            self._stop_at = time.monotonic() + self._limit
            self._agent.send(signal.SIGTERM)


def _listening(address: Address) -> socket.socket:
    """Raises OSError."""
    if address[0] == "" and socket.has_dualstack_ipv6():
        return socket.create_server(address, family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(address, backlog=128)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m jelmore_agent.parent CONFIG", file=sys.stderr)
        return 2
    return Parent(sys.argv[1], PROXY_ADDRESSES, LIMIT).run()


if __name__ == "__main__":
    sys.exit(main())
