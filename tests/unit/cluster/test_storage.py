"""Which claims get a volume, and which volumes go."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import storage


def _claim(*, going: bool = False, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "a", "name": "data", "uid": "1-2", **({"deletionTimestamp": "now"} if going else {})}
    defaults = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": metadata, "spec": {**defaults, "storageClassName": "local", **spec}}


@pytest.mark.parametrize(
    ("claim", "wanted"),
    [
        (_claim(), True),
        (_claim(storageClassName="other"), False),
        (_claim(volumeName="pvc-1-2"), False),
        (_claim(going=True), False),
    ],
)
def test_a_claim_of_the_class_gets_a_volume_unless_it_has_one(claim: dict[str, Any], wanted: bool) -> None:
    assert storage.wants_volume(claim) is wanted


def test_a_volume_is_for_its_claim_alone_and_on_the_node() -> None:
    volume = storage.volume_for(_claim(), Path("/volumes/x"))
    spec = volume["spec"]
    assert spec["claimRef"] == {"namespace": "a", "name": "data", "uid": "1-2"}
    assert spec["local"] == {"path": "/volumes/x"}
    assert spec["capacity"] == {"storage": "1Gi"}
    (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["node1"]


@pytest.mark.parametrize(
    ("phase", "storage_class", "going", "done"),
    [
        ("Released", "local", False, True),
        ("Bound", "local", False, False),
        ("Available", "local", False, False),
        ("Released", "other", False, False),
        ("Released", "local", True, False),
    ],
)
def test_a_volume_goes_when_its_claim_is_gone(phase: str, storage_class: str, going: bool, done: bool) -> None:
    volume = {
        "metadata": {"deletionTimestamp": "now"} if going else {},
        "spec": {"storageClassName": storage_class},
        "status": {"phase": phase},
    }
    assert storage.is_done_with(volume) is done
