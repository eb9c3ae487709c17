"""containerd's own storage with every image in it, made once: a cluster starts from a copy, without importing."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import cache
from tests.cluster.errors import ClusterError

_START_S = 30.0


def filled(archives: Sequence[Path]) -> Path:
    """The storage with these images, each in a cache entry of its own."""
    key = cache.key(*(it.parent.name for it in archives))
    entry = cache.made(f"store@{key}", lambda target: _fill(target, archives))
    cache.keep_newest("store@")
    return entry


def copy(store: Path, target: Path) -> None:
    """
    Layers and blobs are never written again, so links to them do where the file system is the same; the databases that
    say what there is are copied.
    """
    linked = store.stat().st_dev == target.parent.stat().st_dev
    _run("cp", "--archive", *(["--link"] if linked else []), str(store), str(target))
    if linked:
        for database in store.rglob("*.db"):
            if "fs" not in database.relative_to(store).parts:  # not one in an image
                _run(
                    "cp", "--archive", "--remove-destination", str(database), str(target / database.relative_to(store))
                )


def load(archive: Path, socket: Path) -> None:
    """Gives a running containerd, or the kubelet above it, an image."""
    _run("ctr", "--address", str(socket), "--namespace", "k8s.io", "images", "import", str(archive))


def _fill(target: Path, archives: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        socket = Path(scratch) / "socket"
        config = Path(scratch) / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{target}"\nstate = "{scratch}/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{socket}"\n'
        )
        # In a mount namespace of its own, so that what it mounts to unpack is never left behind.
        command = ["unshare", "--mount", "containerd", "--config", str(config), "--log-level", "error"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as containerd:
            try:
                _wait_for(socket, containerd)
                for archive in archives:
                    load(archive, socket)
            finally:
                containerd.terminate()


def _wait_for(socket: Path, containerd: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + _START_S
    while not socket.exists():
        if containerd.poll() is not None or time.monotonic() > limit:
            raise ClusterError("containerd, which unpacks the images, did not start")
        time.sleep(0.05)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
