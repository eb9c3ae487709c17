"""What the chart renders (tests/data/chart, which tests/e2e compares with helm's own output) and what the operator
makes, against the schemas of every Kubernetes that the chart is for. Strict: no unknown fields.
"""

import dataclasses
import ipaddress
import json
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from jelmore_operator.kube import manifests
from jelmore_operator.kube.egress import policy
from jelmore_operator.kube.pods import Record
from jelmore_operator.reconcile.egress import EgressLimits
from tests.support.helm import CHART, ROOT, Rendered, documents
from tests.support.observations import resource
from tests.support.pods import SETTINGS

#: From what Chart.yaml asks for to the newest.
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34")
SNAPSHOTS = sorted((ROOT / "tests" / "data" / "chart").glob("*.yaml"))
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
#: Groups that are not Kubernetes' own: others install what defines them.
OTHERS = {"monitoring.coreos.com", "gateway.networking.k8s.io"}


class Schemas:
    """Of one version. `problems` gives one line for each."""

    def __init__(self, version: str) -> None:
        definitions = json.loads((SCHEMAS / f"v{version}.0-local-strict" / "_definitions.json").read_text())
        self._id = definitions["$id"]
        self._registry = Registry().with_resource(self._id, DRAFT202012.create_resource(definitions))
        self._names = {
            (kind["group"], kind["version"], kind["kind"]): name
            for name, definition in definitions["$defs"].items()
            for kind in definition.get("x-kubernetes-group-version-kind", ())
        }

    def problems(self, document: Rendered) -> list[str]:
        group, _, version = document["apiVersion"].rpartition("/")
        name = self._names.get((group, version, document["kind"]))
        if name is None:
            return [f"{document['apiVersion']} {document['kind']} is not known"]
        schema = {"$ref": f"{self._id}#/$defs/{name}"}
        found = Draft202012Validator(schema, registry=self._registry).iter_errors(document)
        return [f"{document['kind']} {error.json_path}: {error.message[:200]}" for error in found]


schemas = cache(Schemas)


def kubernetes_own(rendered: list[Rendered]) -> list[Rendered]:
    return [document for document in rendered if document["apiVersion"].partition("/")[0] not in OTHERS]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.stem)
def test_what_the_chart_renders(version: str, snapshot: Path) -> None:
    rendered = kubernetes_own(documents(snapshot.read_text()))
    assert len(rendered) > 5
    assert [problem for document in rendered for problem in schemas(version).problems(document)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_definition_of_the_resource(version: str) -> None:
    (definition,) = documents((CHART / "files" / "claudesessions.yaml").read_text())
    assert schemas(version).problems(definition) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_operator_makes(version: str) -> None:
    bus = manifests.BusAccess("nats://nats:4222", "credentials", "nonce")
    settings = dataclasses.replace(SETTINGS, pull_secrets=("registry",))
    limits = EgressLimits((ipaddress.ip_network("0.0.0.0/0"),), (), ("tools",))
    allow = [{"cidr": "0.0.0.0/0", "ports": [22]}, {"namespace": "tools", "ports": [8080]}]
    session = resource(spec={"egress": {"allow": allow}})
    made = [
        manifests.pod(session, settings, Record()),
        manifests.claim(session, settings),
        manifests.secret(session, bus),
        policy(session, limits),
    ]
    # They go to the API server as JSON.
    assert [problem for each in made for problem in schemas(version).problems(json.loads(json.dumps(each)))] == []


def test_what_is_wrong_is_found() -> None:
    """Kubernetes itself would drop a field that it does not know."""
    (deployment, *_) = (it for it in documents(SNAPSHOTS[0].read_text()) if it["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Never"
    deployment["spec"]["replicas"] = "two"
    told = "\n".join(schemas(VERSIONS[0]).problems(deployment))
    assert "imagePullPolice" in told
    assert "$.spec.replicas" in told
