"""Brings a cluster up and down. One at a time on a machine: its addresses and cgroups are fixed."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.cluster import config, pki
from tests.cluster.errors import ClusterError
from tests.cluster.images import store
from tests.cluster.layout import CABLE, CGROUP, State

_LOCK = Path("/run/lock/jelmore-tests-cluster")
_COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
)  # fmt: skip
_OURS = {"bin", "config", "data", "env", "kubeconfig", "log", "node.pid", "pki", "provider", "ready", "run"}
_UP_S = 150.0
_DOWN_S = 20.0


@dataclass(frozen=True)
class Parts:
    """What a cluster is made from: two programs, and containerd's storage with the images."""

    hyperkube: Path
    helm: Path
    images: Path


def up(state: State, parts: Parts, wanted_by: int) -> None:
    """
    :param wanted_by: a descriptor; where it is a pipe's reading end, the cluster ends when the other end is closed.
    :raises ClusterError: there is one already, or it did not come up; then nothing of it is left.
    """
    with _lock(state) as lock:
        remove(state)
        _lay_out(state, parts)
        with (state.log / "node.log").open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.node", str(state.folder)],
                stdin=wanted_by, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock],
            )  # fmt: skip
    limit = time.monotonic() + _UP_S
    while not state.ready.exists():
        if keeper.poll() is not None or time.monotonic() > limit:
            said = (state.log / "node.log").read_text().strip()
            down(state, keep=True)
            raise ClusterError(f"The cluster did not come up: {said or 'it was not ready in time'}")
        time.sleep(0.05)


def down(state: State, *, keep: bool = False) -> None:
    """
    Ends every process of the cluster and removes what it left. Nothing happens where there is none.

    :param keep: the folder, for its logs.
    :raises ClusterError: it is still there after a while.
    """
    if _is_free() or _owner() == state.folder:
        # Again and again: the node's first process may be only coming.
        _until(lambda: _is_free() or _kill(state), "one of its processes")
        _until(lambda: CABLE not in dict(socket.if_nameindex()).values(), f"the network interface {CABLE}")
        _remove_cgroups()
    if not keep:
        _tell(state)
        remove(state)


def _tell(state: State) -> None:
    """A node that ended by itself, in the middle of the tests, said why."""
    with contextlib.suppress(FileNotFoundError):
        print((state.log / "node.log").read_text(), end="", file=sys.stderr, flush=True)


def _kill(state: State) -> bool:
    """With the first process of a PID namespace, the kernel ends all. :returns: False, since that takes a moment."""
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int(state.pid.read_text()), signal.SIGKILL)
    return False


def remove(state: State) -> None:
    """:raises ClusterError: the folder holds something else."""
    if not state.folder.exists():
        return
    # By name, since what is left of a cluster that was interrupted may be any part of it.
    if strangers := {it.name for it in state.folder.iterdir()} - _OURS:
        raise ClusterError(f"{state.folder} holds {min(strangers)}, which is not of a cluster. Name another folder.")
    shutil.rmtree(state.folder)


def _lay_out(state: State, parts: Parts) -> None:
    for folder in (state.bin, state.log, state.data, state.config, state.containerd_socket.parent):
        folder.mkdir(parents=True)
    (state.log / "pods").mkdir()
    for name in _COMPONENTS:
        (state.bin / name).symlink_to(parts.hyperkube)
    (state.bin / "helm").symlink_to(parts.helm)
    store.copy(parts.images, state.data / "containerd")
    pki.make(state)
    config.write(state)
    for hierarchy in _hierarchies():
        (hierarchy / CGROUP).mkdir(exist_ok=True)


@contextlib.contextmanager
def _lock(state: State) -> Iterator[int]:
    """Held by the node's processes from then on, since they inherit it. :raises ClusterError: it is held."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _owner()
            raise ClusterError(
                f"A cluster is up on this machine already, in {other}; there can be one at a time. "
                f"Use it (. {other}/env), or end it: "
                f"python -m tests.cluster down {other}"
            ) from None
        file.truncate(0)
        file.write(str(state.folder))
        file.flush()
        yield file.fileno()


def _owner() -> Path:
    return Path(_LOCK.read_text())


def _is_free() -> bool:
    try:
        with _LOCK.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + _DOWN_S
    while not condition():
        if time.monotonic() > limit:
            raise ClusterError(f"The cluster does not end: {what} is still there after {_DOWN_S:.0f} s")
        time.sleep(0.02)


def _hierarchies() -> list[Path]:
    """The roots of version 1's hierarchies, or version 2's one root."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [it for it in root.iterdir() if it.is_dir() and not it.is_symlink() and (it / "cgroup.procs").exists()]


def _remove_cgroups() -> None:
    """The processes are gone, but the kernel may take a moment to see that."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
            _until(partial(_rmdir, Path(folder)), f"a process of {folder}")


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
