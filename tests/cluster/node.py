"""The node: the first process of a PID namespace, with a network and mounts of its own.

    python -m tests.cluster.node STATE

Because all is in namespaces, ending that one process ends every other of the cluster, pods included, and takes the
mounts, the bridge, the routes and the packet filter's rules with it; nothing on the machine has to be undone. It ends
on SIGTERM, when a component ends that must not, and when its standard input is closed by whoever wanted the cluster.
"""

import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster import components, network
from tests.cluster.client import Client, Refused
from tests.cluster.layout import NODE, State

_READY_S = 60.0
# Characters of a log that say why.
_TAIL = 600


class Ended(Exception):
    """Why the node stops."""


class Node:
    def __init__(self, state: State) -> None:
        self._state = state
        self._running: dict[int, str] = {}
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)

    @staticmethod
    def _stop(*_: object) -> None:
        raise Ended("told to")

    def run(self) -> None:
        client = Client(self._state)
        self._start(components.first(self._state))
        self._until(client.ready, "the API server")
        self._start(components.second(self._state))
        self._until(lambda: _node_is_ready(client), "the node")
        self._state.ready.touch()
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
                selector.register(sys.stdin, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is sys.stdin:
                        raise Ended("whoever wanted the cluster has ended")
                    os.read(self._woken, 4096)
                self._reap()

    def _start(self, commands: Mapping[str, list[str]]) -> None:
        for name, command in commands.items():
            with (self._state.log / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self._running[process.pid] = name
            # It is waited for here, with the strangers that a first process inherits.
            process.returncode = 0

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if name := self._running.pop(pid, None):
                raise Ended(f"{name} ended with {os.waitstatus_to_exitcode(status)}:\n{self._last_of(name)}")

    def _last_of(self, name: str) -> str:
        return (self._state.log / f"{name}.log").read_text(errors="replace")[-_TAIL:].strip()

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + _READY_S
        while not condition():
            if time.monotonic() > limit:
                logs = "\n".join(f"{name}: {self._last_of(name)}" for name in self._running.values())
                raise Ended(f"{what} was not ready after {_READY_S:.0f} s:\n{logs}")
            self._reap()
            time.sleep(0.05)


def _node_is_ready(client: Client) -> bool:
    try:
        node = client.request("GET", f"/api/v1/nodes/{NODE}")
        client.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except Refused:
        return False
    return any(it["type"] == "Ready" and it["status"] == "True" for it in node["status"].get("conditions", ()))


def _own_mounts(state: State) -> None:
    """Mounts made from here on are seen on the node alone; what programs leave in fixed places goes with it."""
    for place in ("/var/lib/cni", "/var/lib/kubelet"):
        Path(place).mkdir(exist_ok=True)
    for arguments in (
        ["--make-rslave", "/"],
        ["--make-rshared", "/"],
        ["-t", "proc", "proc", "/proc"],
        ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
        ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib/cni"],
        ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib/kubelet"],
        ["--bind", str(state.log), "/var/log"],
    ):
        subprocess.run(["mount", *arguments], check=True)


def main(folder: Path) -> int:
    """Returns when the node has ended, and every process on it with it."""
    state = State(folder)
    network.plug_in()
    os.unshare(os.CLONE_NEWNS | os.CLONE_NEWPID)
    if node := os.fork():
        state.pid.write_text(str(node))
        # The processes of a PID namespace are all gone before its first one can be waited for.
        _, status = os.waitpid(node, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        _own_mounts(state)
        Node(state).run()
    except Ended as end:
        print(f"the cluster ends: {end}", file=sys.stderr, flush=True)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
