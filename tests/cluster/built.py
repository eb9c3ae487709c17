"""A cluster that is built here, where the machine is Debian with root and Go."""

import os
import subprocess

from tests.cluster import binaries, cache, lifecycle, packages
from tests.cluster.images import build
from tests.cluster.layout import HOST_IP, State


def prepare() -> None:
    packages.install()
    with cache.lock():
        binaries.hyperkube()
        binaries.helm()
        build.all_images()


def up(state: State, *, attached: bool) -> None:
    if attached:
        # Never closed but by this process's end: then the cluster ends too, however this one ended.
        wanted_by, _ = os.pipe()
    else:
        wanted_by = os.open(os.devnull, os.O_RDONLY)
    try:
        lifecycle.up(state, binaries.hyperkube(), binaries.helm(), wanted_by)
    finally:
        os.close(wanted_by)
    import_images(state)


def down(state: State) -> None:
    lifecycle.down(state)


def import_images(state: State) -> None:
    for archive in build.all_images():
        command = ["ctr", "--address", str(state.containerd_socket), "--namespace", "k8s.io", "images", "import"]
        subprocess.run([*command, str(archive)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def host_ip() -> str:
    return HOST_IP
