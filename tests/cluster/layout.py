"""Where a cluster that runs on this machine keeps its things, and its addresses. All below one folder, its state."""

from dataclasses import dataclass
from pathlib import Path

# The machine's end and the node's end of the cable between them; what pods and Services get lies behind the node.
HOST_IP = "10.245.0.1"
NODE_IP = "10.245.0.2"
LINK_BITS = 30
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
API_PORT = 6443
DOMAIN = "cluster.local"
NODE = "node1"
CABLE = "jelmore0"
# Below the root of each cgroup hierarchy: every pod, and nothing else.
CGROUP = "jelmore-tests"
SANDBOX_IMAGE = "docker.io/library/pause:test"


@dataclass(frozen=True)
class State:
    folder: Path

    @property
    def bin(self) -> Path:
        """kubectl, helm and the components."""
        return self.folder / "bin"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def data(self) -> Path:
        """etcd's, containerd's and the kubelet's files, and the volumes."""
        return self.folder / "data"

    @property
    def volumes(self) -> Path:
        return self.data / "volumes"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.folder / "run" / "containerd.sock"

    @property
    def pid(self) -> Path:
        """Of the node's first process, as this machine numbers it."""
        return self.folder / "node.pid"

    @property
    def ready(self) -> Path:
        """There once pods can be made."""
        return self.folder / "ready"

    @property
    def server(self) -> str:
        return f"https://{NODE_IP}:{API_PORT}"

    @property
    def token(self) -> Path:
        """The administrator's bearer token."""
        return self.pki / "token"
