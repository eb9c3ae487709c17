"""What the chart renders, as a real API server takes it: strictly, with its own checks, without keeping it."""

import json
from collections.abc import Iterable

import pytest

from tests.support.cluster import Kubectl
from tests.support.helm import CHART, Helm, Rendered

FILES = tuple(sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")))
#: Groups that others define.
OTHERS = {"monitoring.coreos.com", "gateway.networking.k8s.io"}


def fitted(rendered: Iterable[Rendered], namespace: str) -> Iterable[Rendered]:
    """Into a namespace that there is, since a dry run makes none."""
    for document in rendered:
        if document["apiVersion"].partition("/")[0] in OTHERS or document["kind"] == "CustomResourceDefinition":
            continue
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = namespace
        if document["kind"] == "Pod":
            # Whose account must be there.
            document["spec"]["serviceAccountName"] = "default"
        yield document


@pytest.mark.parametrize("file", FILES)
def test_the_api_server_takes_it(helm: Helm, kubectl: Kubectl, kube_namespace: str, file: str) -> None:
    items = list(fitted(helm.render(file), kube_namespace))
    taken = kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "--filename", "-"),
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
    )
    assert taken.count("serverside-applied (server dry run)") == len(items)
