"""What this machine has, asked for `discovery`."""

import os
import platform
import shutil
import subprocess

from tests.cluster import discovery, kind

_PULL_S = 600.0
_ANSWER_S = 20.0


def choose() -> discovery.Kind | discovery.NoCluster:
    return discovery.choose(os.environ.get("JELMORE_TEST_KUBECONFIG"), _kind, _built)


def _kind() -> discovery.Obstacle:
    return discovery.kind_obstacle(
        has_kind=shutil.which("kind") is not None,
        has_docker=_answers(["docker", "version"], _ANSWER_S),
        pull=lambda: (
            _answers(["docker", "image", "inspect", kind.NODE_IMAGE], _ANSWER_S)
            or _answers(["docker", "pull", "--quiet", kind.NODE_IMAGE], _PULL_S)
        ),
    )


def _built() -> discovery.Obstacle:
    try:
        distribution = platform.freedesktop_os_release()["ID"]
    except OSError:
        distribution = ""
    go = shutil.which("go") and subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
    return discovery.built_obstacle(distribution=distribution, root=os.geteuid() == 0, go=go)


def _answers(command: list[str], limit_s: float) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
