"""What scripts/kind.sh puts into a cluster besides the chart, in a real one."""

import json

import pytest

from tests.support.cluster import Kubectl
from tests.support.helm import ROOT
from tests.support.kind import Machine

IMAGE = "docker.io/library/jelmore:test"


def test_namespaces_and_the_storage_class_are_taken(kind_machine: Machine, kubectl: Kubectl) -> None:
    assert kind_machine.run("up").returncode == 0
    for document in kind_machine.applied():
        if document["kind"] in ("Namespace", "StorageClass"):
            # One of that name is in the test's cluster already, and cannot be made another.
            document["metadata"]["name"] += "-dry-run"
            kubectl("apply", "--dry-run=server", "--filename", "-", input=json.dumps(document))


@pytest.mark.slow
def test_the_demo_model_runs_from_the_checkouts_sources(kubectl: Kubectl, kube_namespace: str) -> None:
    within = ("--namespace", kube_namespace)
    kubectl(*within, "create", "configmap", "demo-model", f"--from-file={ROOT / 'local' / 'jelmore_local' / 'demo'}")
    manifest = (ROOT / "scripts" / "kind" / "demo-model.yaml").read_text().replace("IMAGE", IMAGE)
    kubectl(*within, "apply", "--filename", "-", input=manifest)
    kubectl(*within, "rollout", "status", "deployment/demo-model", "--timeout=55s")
