"""The node's own network: a cable to this machine, pods and Services behind it, and no way to anywhere else."""

import os
import subprocess

from tests.cluster.layout import CABLE, HOST_IP, LINK_BITS, NODE_IP, PODS, SERVICES


def plug_in() -> None:
    """Moves this process into a network namespace of its own, which lasts as long as a process is in it."""
    machine = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.unshare(os.CLONE_NEWNET)
    node = os.open("/proc/self/ns/net", os.O_RDONLY)
    _ip(["link", "set", "lo", "up"])
    _ip(["link", "add", "uplink", "type", "veth", "peer", "name", CABLE])
    _ip(["link", "set", CABLE, "netns", f"/proc/self/fd/{machine}"], keep=machine)
    _ip(["address", "add", f"{NODE_IP}/{LINK_BITS}", "dev", "uplink"])
    _ip(["link", "set", "uplink", "up"])
    os.setns(machine, os.CLONE_NEWNET)
    _ip(["address", "add", f"{HOST_IP}/{LINK_BITS}", "dev", CABLE])
    _ip(["link", "set", CABLE, "up"])
    for behind in (PODS, SERVICES):
        _ip(["route", "add", behind, "via", NODE_IP])
    os.setns(node, os.CLONE_NEWNET)
    os.close(machine)
    os.close(node)


def _ip(arguments: list[str], keep: int | None = None) -> None:
    subprocess.run(["ip", *arguments], check=True, pass_fds=() if keep is None else (keep,))
