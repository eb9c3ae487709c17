"""Kubernetes and Helm, built from their Go modules: no registry of images and no download of binaries is needed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster import cache
from tests.cluster.errors import ClusterError

_MODULE = Path(__file__).parent / "hyperkube"
_VERSION = "v1.34.4"
_HELM = "v4.3.1"


def hyperkube() -> Path:
    """etcd, every component and kubectl in one program, which does what its name says."""
    name = f"hyperkube-{cache.key(_VERSION, files=_MODULE.iterdir(), below=_MODULE)}"
    return cache.made(name, _build_hyperkube) / "hyperkube"


def _build_hyperkube(target: Path) -> None:
    _say(f"Building Kubernetes {_VERSION} from its Go modules, about 5 minutes the first time ...")
    package = "k8s.io/component-base/version"
    _, minor, _ = _VERSION.split(".")
    stamps = f"-X {package}.gitVersion={_VERSION} -X {package}.gitMajor=1 -X {package}.gitMinor={minor}"
    _go(["build", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", str(target / "hyperkube"), "."])


def helm() -> Path:
    return cache.made(f"helm-{_HELM}", _build_helm) / "helm"


def _build_helm(target: Path) -> None:
    _say(f"Building Helm {_HELM}, about 2 minutes the first time ...")
    _go(["install", "-trimpath", f"helm.sh/helm/v4/cmd/helm@{_HELM}"], GOBIN=str(target))


def _go(arguments: list[str], **environment: str) -> None:
    done = subprocess.run(
        ["go", *arguments],
        cwd=_MODULE,
        env={**os.environ, "CGO_ENABLED": "0", **environment},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"go {arguments[0]} failed")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
