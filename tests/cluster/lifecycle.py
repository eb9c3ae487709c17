"""Brings a cluster up and down. One at a time on a machine: its addresses and cgroups are fixed."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import config, pki
from tests.cluster.errors import ClusterError
from tests.cluster.layout import CGROUP, State

_LOCK = Path("/run/lock/jelmore-tests-cluster")
_COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
)  # fmt: skip
_UP_S = 150.0
_DOWN_S = 20.0


def up(state: State, hyperkube: Path, helm: Path, wanted_by: int) -> subprocess.Popen[bytes]:
    """
    :param wanted_by: a descriptor; where it is a pipe's reading end, the cluster ends when the other end is closed.
    :raises ClusterError: there is one already, or it did not come up; then nothing of it is left.
    """
    with _lock(state) as lock:
        remove(state)
        _lay_out(state, hyperkube, helm)
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
    return keeper


def down(state: State, *, keep: bool = False) -> None:
    """
    Ends every process of the cluster and removes what it left. Nothing happens where there is none.

    :param keep: the folder, for its logs.
    """
    with contextlib.suppress(FileNotFoundError):
        node = int(state.pid.read_text())
        for number in (signal.SIGTERM, signal.SIGKILL):
            if _free_within(0) or _owner() != state.folder:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(node, number)
            if _free_within(_DOWN_S):
                break
    _remove_cgroups()
    if not keep:
        remove(state)


def remove(state: State) -> None:
    """:raises ClusterError: the folder holds something else."""
    if not state.folder.exists():
        return
    if any(state.folder.iterdir()) and not state.pki.exists():
        raise ClusterError(f"{state.folder} is not empty and holds no cluster. Name another folder.")
    shutil.rmtree(state.folder)


def _lay_out(state: State, hyperkube: Path, helm: Path) -> None:
    for folder in (state.bin, state.log, state.data, state.config, state.containerd_socket.parent):
        folder.mkdir(parents=True)
    (state.log / "pods").mkdir()
    for name in _COMPONENTS:
        (state.bin / name).symlink_to(hyperkube)
    (state.bin / "helm").symlink_to(helm)
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
                f"Use it (export JELMORE_TEST_KUBECONFIG={other}/kubeconfig), or end it: "
                f"python -m tests.cluster down {other}"
            ) from None
        file.truncate(0)
        file.write(str(state.folder))
        file.flush()
        yield file.fileno()


def _owner() -> Path:
    return Path(_LOCK.read_text())


def _free_within(limit_s: float) -> bool:
    limit = time.monotonic() + limit_s
    with _LOCK.open("a") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if time.monotonic() >= limit:
                return False
            time.sleep(0.02)


def _hierarchies() -> list[Path]:
    """The roots of version 1's hierarchies, or version 2's one root."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [it for it in root.iterdir() if it.is_dir() and not it.is_symlink() and (it / "cgroup.procs").exists()]


def _remove_cgroups() -> None:
    """The processes are gone, but the kernel may take a moment to see that."""
    limit = time.monotonic() + _DOWN_S
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
            while Path(folder).exists():
                try:
                    Path(folder).rmdir()
                except OSError:
                    if time.monotonic() > limit:
                        raise
                    time.sleep(0.02)
