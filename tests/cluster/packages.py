"""The Debian packages that the node and its images are made with, installed where they are missing."""

import os
import subprocess
import sys

from tests.cluster.errors import ClusterError

_NEEDED = (
    "buildah", "ca-certificates", "containerd", "containernetworking-plugins", "debian-archive-keyring", "debootstrap",
    "iproute2", "iptables", "mount", "openssl", "runc",
)  # fmt: skip


def install() -> None:
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *_NEEDED]
    known = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    missing = [name for name in _NEEDED if f"{name} installed" not in known.splitlines()]
    if not missing:
        return
    print(f"Installing {', '.join(missing)} ...", file=sys.stderr, flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise ClusterError(f"apt-get {command[0]} failed: {done.stderr.strip()}")
