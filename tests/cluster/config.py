"""The files that the node's components read. JSON, where they take YAML."""

import json
from collections.abc import Mapping

from tests.cluster.layout import CGROUP, DOMAIN, NODE_IP, PODS, SANDBOX_IMAGE, SERVICES, State


def write(state: State) -> None:
    (state.config / "cni").mkdir(parents=True)
    _write_json(state, "cni/10-bridge.conflist", _network())
    _write_json(state, "kubelet.json", _kubelet(state))
    (state.config / "containerd.toml").write_text(_containerd(state))
    state.kubeconfig.touch(mode=0o600)
    state.kubeconfig.write_text(json.dumps(_kubeconfig(state), indent=1) + "\n")


def _write_json(state: State, name: str, content: Mapping[str, object]) -> None:
    (state.config / name).write_text(json.dumps(content, indent=1) + "\n")


def _kubeconfig(state: State) -> Mapping[str, object]:
    cluster = {"server": state.server, "certificate-authority": str(state.pki / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "jelmore-tests", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": state.token.read_text()}}],
        "contexts": [{"name": "jelmore-tests", "context": {"cluster": "jelmore-tests", "user": "admin"}}],
        "current-context": "jelmore-tests",
    }


def _network() -> Mapping[str, object]:
    """Pods have routes to each other, to Services and, through the node, to the machine: to nothing else."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": SERVICES}, {"dst": "10.245.0.0/30"}],
    }
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": False, "hairpinMode": True}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge | {"ipam": addresses}, {"type": "loopback"}]}


def _kubelet(state: State) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(state.pki / "ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "containerRuntimeEndpoint": f"unix://{state.containerd_socket}",
        "podLogsDir": str(state.log / "pods"),
        "volumePluginDir": str(state.data / "volume-plugins"),
        "maxPods": 200,
        "clusterDNS": [NODE_IP],
        "clusterDomain": DOMAIN,
        # Pods do not learn which resolver this machine uses, and could not reach it.
        "resolvConf": "",
        "failSwapOn": False,
        "failCgroupV1": False,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def _containerd(state: State) -> str:
    # restrict_oom_score_adj: where root lacks CAP_SYS_RESOURCE, every sandbox would fail without it.
    return f"""\
version = 2
root = "{state.data}/containerd"
state = "/run/containerd"
[grpc]
  address = "{state.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{SANDBOX_IMAGE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state.config}/cni"
"""
