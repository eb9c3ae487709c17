"""A cluster that is built here, where the machine is Debian with root and Go."""

import os

from tests.cluster import binaries, cache, lifecycle, packages
from tests.cluster.images import build, store
from tests.cluster.layout import HOST_IP, State


def prepare() -> None:
    packages.install()
    with cache.lock("cluster"):
        binaries.hyperkube()
        binaries.helm()
        store.filled(build.all_images())


def up(state: State, *, attached: bool) -> None:
    if attached:
        # Never closed but by this process's end: then the cluster ends too, however this one ended.
        wanted_by, _ = os.pipe()
    else:
        wanted_by = os.open(os.devnull, os.O_RDONLY)
    try:
        parts = lifecycle.Parts(binaries.hyperkube(), binaries.helm(), store.filled(build.all_images()))
        lifecycle.up(state, parts, wanted_by)
    finally:
        os.close(wanted_by)


def down(state: State) -> None:
    lifecycle.down(state)


def import_images(state: State) -> None:
    for archive in build.all_images():
        store.load(archive, state.containerd_socket)


def host_ip() -> str:
    return HOST_IP
