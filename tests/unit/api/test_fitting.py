"""Which fields go with where sessions run."""

from pathlib import Path
from typing import Any

import pytest

from jelmore_api.errors import Problem
from jelmore_api.sessions.fitting import fitting_spec
from jelmore_api.sessions.schemas import CreateSession
from jelmore_api.settings import Resources, Settings
from jelmore_contract.resource import SessionSpec


def machine(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", workspace_roots=(tmp_path.resolve(),))


CLUSTER = Settings(resources=Resources.KUBERNETES, kubeconfig="/kubeconfig", namespaces=("a", "b"))

ONLY_IN_PODS: list[tuple[dict[str, Any], str]] = [
    ({"credentials": {"secret_name": "x"}}, "#/credentials"),
    ({"workspace": {"storage": {"size": "1Gi"}}}, "#/workspace/storage"),
    ({"workspace": {"storage": {"ephemeral": True}}}, "#/workspace/storage"),
    ({"resources": {"limits": {"memory": "1Gi"}}}, "#/resources"),
    ({"pod_template": {"node_selector": {"a": "b"}}}, "#/pod_template"),
    ({"egress": {"allow": [{"cidr": "10.0.0.0/8", "ports": [443]}]}}, "#/egress"),
]


@pytest.mark.parametrize(("fields", "pointer"), ONLY_IN_PODS)
def test_what_goes_with_pods_only(fields: dict[str, Any], pointer: str, tmp_path: Path) -> None:
    spec = CreateSession.model_validate(fields).spec()
    assert fitting_spec(spec, "a", CLUSTER) == spec
    with pytest.raises(Problem) as caught:
        fitting_spec(spec, "default", machine(tmp_path))
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert "is for sessions in a cluster: leave it out" in caught.value.detail


def test_defaults_that_are_written_out_go_everywhere(tmp_path: Path) -> None:
    plain = CreateSession().model_dump(exclude={"name", "namespace"})
    spec = CreateSession.model_validate(plain).spec()
    assert fitting_spec(spec, "a", CLUSTER) == spec == fitting_spec(spec, "default", machine(tmp_path))


def test_a_folder_goes_with_one_machine_only(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    spec = CreateSession.model_validate({"workspace": {"path": f"{tmp_path}/one/"}}).spec()
    fitting = fitting_spec(spec, "default", machine(tmp_path))
    assert fitting.workspace.path == str((tmp_path / "one").resolve())
    with pytest.raises(Problem, match=r"workspace\.path is for one machine: leave it out"):
        fitting_spec(spec, "a", CLUSTER)


def test_a_repository_of_this_machine_lies_below_a_root_and_goes_with_one_machine_only(tmp_path: Path) -> None:
    def cloning(path: Path) -> SessionSpec:
        return CreateSession.model_validate({"workspace": {"git": {"url": f"file://{path}"}}}).spec()

    (tmp_path / "r.git").mkdir()
    assert fitting_spec(cloning(tmp_path / "r.git"), "default", machine(tmp_path)) == cloning(tmp_path / "r.git")
    with pytest.raises(Problem, match=r"workspace\.git\.url must lie below") as caught:
        fitting_spec(cloning(Path("/etc")), "default", machine(tmp_path))
    assert [error.pointer for error in caught.value.errors] == ["#/workspace/git/url"]
    with pytest.raises(Problem, match=r"workspace\.git\.url does not exist"):
        fitting_spec(cloning(tmp_path / "no.git"), "default", machine(tmp_path))
    with pytest.raises(Problem, match=r"workspace\.git\.url is for one machine"):
        fitting_spec(cloning(tmp_path / "r.git"), "a", CLUSTER)


def test_only_the_namespaces_that_are_served() -> None:
    spec = CreateSession().spec()
    with pytest.raises(Problem, match="The namespace c is not served by this Jelmore, which serves a, b") as caught:
        fitting_spec(spec, "c", CLUSTER)
    assert [error.pointer for error in caught.value.errors] == ["#/namespace"]
    assert fitting_spec(spec, "c", CLUSTER.model_copy(update={"namespaces": ()})) == spec
