"""Problem documents: RFC 9457, with words for a person and without what was sent."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from jelmore_api.errors import Problem, from_validation, invalid_field, responses, unavailable
from jelmore_api.sessions.schemas import CreateSession, SendInput
from jelmore_contract.errors import ProblemType


def document(problem: Problem) -> dict[str, Any]:
    response = problem.response()
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(bytes(response.body))
    assert body["status"] == response.status_code
    return body


def test_what_a_document_says() -> None:
    problem = Problem(ProblemType.CONFLICT, "Taken.", errors=[invalid_field("is taken", "a/b", 0, "~")])
    assert document(problem) == {
        "type": "https://jelmore.dev/problems/conflict",
        "title": "The request conflicts with what is there",
        "status": 409,
        "detail": "Taken.",
        "errors": [{"detail": "is taken", "pointer": "#/a~1b/0/~0"}],
    }


def test_every_kind_has_a_status_and_a_title() -> None:
    for kind in ProblemType:
        body = document(Problem(kind, "x"))
        assert 400 <= body["status"] < 600
        assert body["title"]


def test_away_means_come_back() -> None:
    response = unavailable("NATS").response()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


def errors_of(model: type[CreateSession | SendInput], body: object) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ({"query": ""}, 422, ["#/query"]),
        ({"query": " \n"}, 422, ["#/query"]),
        ({"query": 1}, 422, ["#/query"]),
        ({"query": "x" * 200_001}, 413, ["#/query"]),
        ({"name": "x" * 200_001}, 422, ["#/name"]),
        ({"name": "No Name"}, 422, ["#/name"]),
        ({"nothing": 1}, 422, ["#/nothing"]),
        ({"permissionMode": "plan"}, 422, ["#/permissionMode"]),
        ({"permission_mode": "yolo", "model": ""}, 422, ["#/model", "#/permission_mode"]),
        ({"workspace": {"path": "relative"}}, 422, ["#/workspace/path"]),
        ({"workspace": {"trustSettings": True}}, 422, ["#/workspace/trustSettings"]),
        ({"approvals": {"timeout": "soon"}}, 422, ["#/approvals/timeout"]),
        ({"allowed_tools": ["Bash", ""]}, 422, ["#/allowed_tools/1"]),
        ([], 422, ["#"]),
    ],
)
def test_bad_sessions(body: object, status: int, pointers: list[str]) -> None:
    problem = from_validation(errors_of(CreateSession, body))
    assert problem.status == status
    assert sorted(str(error.pointer) for error in problem.errors) == pointers


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " "},
        {"text": "x", "content": [{"type": "text", "text": "x"}]},
        {"content": []},
        {"content": "x"},
        {"content": ["x"]},
        {"text": "x", "idempotency_key": ""},
        {"text": "x", "idempotency_key": "k" * 256},
        {"text": "x", "input_id": "1"},
    ],
)
def test_bad_inputs(body: object) -> None:
    assert from_validation(errors_of(SendInput, body)).status == 422


def test_what_was_sent_is_not_repeated() -> None:
    problem = from_validation(errors_of(CreateSession, {"mcp_servers": "hunter2", "permission_mode": "hunter2"}))
    assert "hunter2" not in json.dumps(document(problem))


def test_declared_responses_merge_kinds_of_one_status() -> None:
    declared = responses(ProblemType.CONFLICT, ProblemType.SESSION_ENDED)
    assert sorted(declared) == [401, 403, 409, 500, 503]
    assert set(declared[409]["content"]["application/problem+json"]["examples"]) == {"conflict", "session-ended"}
