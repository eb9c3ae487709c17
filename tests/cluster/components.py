"""What runs on the node, and with which arguments. Two waves: the second needs an API server that answers."""

import sys
from collections.abc import Mapping

from tests.cluster.layout import API_PORT, NODE, NODE_IP, PODS, SERVICES, State


def first(state: State) -> Mapping[str, list[str]]:
    """The name of each (its log is log/NAME.log) and its command."""
    return {
        "etcd": _etcd(state),
        "kube-apiserver": _apiserver(state),
        "containerd": ["containerd", "--config", f"{state.config}/containerd.toml"],
    }


def second(state: State) -> Mapping[str, list[str]]:
    kubeconfig = f"--kubeconfig={state.kubeconfig}"
    return {
        "kube-controller-manager": [
            f"{state.bin}/kube-controller-manager",
            kubeconfig,
            f"--service-account-private-key-file={state.pki}/accounts.key",
            f"--root-ca-file={state.pki}/ca.crt",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            f"--flex-volume-plugin-dir={state.data}/volume-plugins",
        ],
        "kube-scheduler": [f"{state.bin}/kube-scheduler", kubeconfig, "--leader-elect=false"],
        "kubelet": [
            f"{state.bin}/kubelet",
            kubeconfig,
            f"--config={state.config}/kubelet.json",
            f"--hostname-override={NODE}",
            f"--root-dir={state.data}/kubelet",
            f"--node-ip={NODE_IP}",
        ],
        "kube-proxy": [
            f"{state.bin}/kube-proxy",
            kubeconfig,
            f"--hostname-override={NODE}",
            f"--cluster-cidr={PODS}",
            "--conntrack-max-per-core=0",
        ],
        "storage": [sys.executable, "-m", "tests.cluster.storage", str(state.folder)],
        "dns": [sys.executable, "-m", "tests.cluster.dns", str(state.folder)],
    }


def _etcd(state: State) -> list[str]:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        f"{state.bin}/etcd",
        f"--data-dir={state.data}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(state: State) -> list[str]:
    return [
        f"{state.bin}/kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_IP}",
        f"--tls-cert-file={state.pki}/apiserver.crt",
        f"--tls-private-key-file={state.pki}/apiserver.key",
        f"--client-ca-file={state.pki}/ca.crt",
        f"--service-account-key-file={state.pki}/accounts.key",
        f"--service-account-signing-key-file={state.pki}/accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={state.pki}/tokens.csv",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={state.pki}/kubelet-client.crt",
        f"--kubelet-client-key={state.pki}/kubelet-client.key",
    ]
