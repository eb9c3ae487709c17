"""The custom resource definition in a real API server."""

import json
from pathlib import Path
from typing import Any

import pytest

from jelmore_contract.resource import ClaudeSession, SessionSpec, SessionStatus
from tests.support.cluster import Kubectl
from tests.support.kube_http import SessionsHttp

EXAMPLES = Path(__file__).resolve().parents[2] / "crds" / "examples"


@pytest.mark.usefixtures("session_crd")
def test_it_is_accepted_without_reserve(kubectl: Kubectl) -> None:
    crd = json.loads(kubectl("get", "crd", "claudesessions.jelmore.dev", "--output=json"))
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}  # no NonStructuralSchema


@pytest.mark.usefixtures("session_crd")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("cls", "A Claude Code session: the unmodified CLI in a pod of its own"),
        ("claudesession.spec", "permissionMode\t<string>\n  enum: default, acceptEdits, plan, dontAsk"),
        ("claudesession.spec.credentials", "secretName\t<string> -required-\n    A Secret in the session's namespace."),
        ("claudesession.spec.workspace.storage", "ephemeral\t<boolean>\n    Keep nothing beyond the pod"),
        ("claudesession.spec.podTemplate.tolerations.tolerationSeconds", "How long the pod stays on such a node"),
        ("claudesession.status", "state\t<string>\n  enum: pending, active, waiting_input, idle"),
    ],
)
def test_kubectl_explains_it(kubectl: Kubectl, path: str, expected: str) -> None:
    assert expected in kubectl("explain", path)


def test_every_field_has_its_default_at_once(sessions_http: SessionsHttp) -> None:
    created = sessions_http.create({}).json()
    assert created["spec"] == SessionSpec().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert created["status"] == SessionStatus().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert created == sessions_http.get()


def test_what_is_inside_a_given_field_has_its_default_too(sessions_http: SessionsHttp) -> None:
    spec = {"credentials": {"secretName": "x"}, "podTemplate": {"tolerations": [{"key": "k"}]}}
    created = sessions_http.create(spec).json()["spec"]
    assert created["credentials"]["kind"] == "oauthToken"
    assert created["podTemplate"] == {"nodeSelector": {}, "tolerations": [{"key": "k", "operator": "Equal"}]}


def test_a_stored_object_is_one_of_the_models(sessions_http: SessionsHttp) -> None:
    created = sessions_http.create({"query": "Hello", "resources": {"limits": {"cpu": 2}}})
    session = ClaudeSession.model_validate_json(created.text)
    assert session.session_id == created.json()["metadata"]["uid"]
    assert session.spec.resources.limits == {"cpu": "2"}


def test_what_mcp_servers_say_is_kept(sessions_http: SessionsHttp) -> None:
    servers = {"a": {"command": "b", "args": ["c", 1, None], "env": {"D": "e"}, "nested": {"x": [{"y": True}]}}}
    assert sessions_http.create({"mcpServers": servers}).json()["spec"]["mcpServers"] == servers


def test_an_unknown_field_is_refused_by_a_client_that_asks_for_it(sessions_http: SessionsHttp) -> None:
    response = sessions_http.create({"quary": "Hello"})
    assert response.status_code == 400
    assert 'strict decoding error: unknown field "spec.quary"' in response.json()["message"]


def test_an_unknown_field_of_a_raw_post_is_pruned_with_a_warning(sessions_http: SessionsHttp) -> None:
    response = sessions_http.create({"quary": "Hello"}, strict=False)
    assert response.status_code == 201
    assert response.headers["warning"] == '299 - "unknown field \\"spec.quary\\""'
    assert "quary" not in response.json()["spec"]


@pytest.mark.usefixtures("session_crd")
@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_applies(kubectl: Kubectl, kube_namespace: str, example: Path) -> None:
    kubectl("apply", "--namespace", kube_namespace, "--validate=strict", "--filename", str(example))
    kubectl("apply", "--namespace", kube_namespace, "--validate=strict", "--filename", str(example))
    (found,) = json.loads(kubectl("get", "jelmore", "--namespace", kube_namespace, "--output=json"))["items"]
    ClaudeSession.model_validate(found)


COLUMNS = ["NAME", "STATE", "WAITING-FOR", "MODEL", "COST", "AGE"]


@pytest.mark.parametrize(
    ("output", "columns", "cells"),
    [
        ("", COLUMNS, ["s", "waiting_input", "approval", "opus", "0.25"]),
        (
            "wide",
            [*COLUMNS, "RUN", "POD", "MESSAGE"],
            ["s", "waiting_input", "approval", "opus", "0.25", "2", "claude-s", "Answer."],
        ),
    ],
)
def test_kubectl_shows_where_a_session_stands(
    sessions_http: SessionsHttp,
    kubectl: Kubectl,
    kube_namespace: str,
    output: str,
    columns: list[str],
    cells: list[str],
) -> None:
    sessions_http.create({"model": "opus"})
    write_status(
        kubectl,
        kube_namespace,
        {
            "state": "waiting_input",
            "waitingFor": {"kind": "approval", "since": "2026-01-02T03:04:05Z"},
            "usage": {"costUsd": 0.25},
            "run": 2,
            "podName": "claude-s",
            "message": "Answer.",
        },
    )
    header, line = kubectl("get", "cls", "--namespace", kube_namespace, f"--output={output}").splitlines()
    assert header.split() == columns
    assert [cell for cell in line.split() if cell in cells] == cells


def test_a_status_of_nulls_is_as_good_as_none(
    sessions_http: SessionsHttp, kubectl: Kubectl, kube_namespace: str
) -> None:
    """So a model's dump can be written as it is."""
    sessions_http.create({})
    write_status(kubectl, kube_namespace, SessionStatus(run=1).model_dump(mode="json", by_alias=True))
    status = sessions_http.get()["status"]
    assert status == SessionStatus(run=1).model_dump(mode="json", by_alias=True, exclude_none=True)


def write_status(kubectl: Kubectl, namespace: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    target = ("patch", "cls", "s", "--namespace", namespace, "--subresource=status", "--type=merge")
    kubectl(*target, "--patch", patch)
