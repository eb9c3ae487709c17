"""`python -m jelmore_operator` where it cannot work: one sentence, and an exit code that says whose fault it is."""

import os
import subprocess
import sys
from pathlib import Path

from jelmore_operator.identity.__main__ import main as make_keys


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}
    command = [sys.executable, "-m", "jelmore_operator"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("jelmore-operator: JELMORE_NAMESPACE is not set")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    make_keys([str(tmp_path)])
    done = run(
        tmp_path,
        KUBECONFIG=str(tmp_path / "none"),
        JELMORE_NAMESPACE="jelmore",
        JELMORE_NATS_URL="nats://127.0.0.1:1",
        JELMORE_NATS_CREDENTIALS=str(tmp_path / "core.creds"),
        JELMORE_NATS_IDENTITY=str(tmp_path / "nats-keys.json"),
        JELMORE_SESSION_IMAGE="jelmore-session:1",
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "jelmore-operator: there is no cluster: run it in one, or set KUBECONFIG."
