"""What the API server refuses, in the API's words. The documents are its own, of version 1.34."""

from typing import Any

import pytest

from jelmore_api.cluster.answers import Refused
from jelmore_api.cluster.problems import is_gone, refusal, rest_path
from jelmore_contract.errors import ProblemType


def status(code: int, reason: str, message: str = "m", **details: Any) -> Refused:
    document = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return Refused(code, document)


def cause(message: str, field: str, reason: str = "FieldValueInvalid") -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}


FORBIDDEN = 'claudesessions.jelmore.dev is forbidden: User "x" cannot create resource "claudesessions"'


@pytest.mark.parametrize(
    ("refused", "kind", "words", "pointer"),
    [
        (
            status(422, "Invalid", causes=[cause("must be more than 0", "spec.workspace.storage.size")]),
            ProblemType.INVALID_REQUEST,
            "workspace.storage.size: must be more than 0.",
            "#/workspace/storage/size",
        ),
        (
            status(
                422,
                "Invalid",
                causes=[
                    cause('Invalid value: "a: \\"b": should match \'^c$\'', "spec.model"),
                    cause("some validation rules were not checked", "<nil>"),
                ],
            ),
            ProblemType.INVALID_REQUEST,
            "model: should match '^c$'.",
            "#/model",
        ),
        (
            status(422, "Invalid", causes=[cause("Forbidden: is for one machine only: no", "spec.workspace.path")]),
            ProblemType.INVALID_REQUEST,
            "workspace.path: is for one machine only: no.",
            "#/workspace/path",
        ),
        (
            status(422, "Invalid", causes=[cause("Invalid value: 0: should be greater than 0", "spec.x")]),
            ProblemType.INVALID_REQUEST,
            "x: should be greater than 0.",
            "#/x",
        ),
        (
            status(422, "Invalid", causes=[cause("Required value", "spec.x")]),
            ProblemType.INVALID_REQUEST,
            "x: Required value.",
            "#/x",
        ),
        (
            status(400, "BadRequest", 'strict decoding error: unknown field "spec.foo"'),
            ProblemType.INVALID_REQUEST,
            'unknown field "spec.foo"',
            None,
        ),
        (
            status(404, "NotFound", 'namespaces "x" not found', kind="namespaces", name="x"),
            ProblemType.INVALID_REQUEST,
            "There is no namespace x: create it, or name another.",
            "#/namespace",
        ),
        (
            status(404, "NotFound", "the server could not find the requested resource", kind=""),
            ProblemType.UNAVAILABLE,
            "CustomResourceDefinition is not installed",
            None,
        ),
        (
            status(403, "Forbidden", "m", causes=[cause("x is being terminated", "", "NamespaceTerminating")]),
            ProblemType.INVALID_REQUEST,
            "is being deleted: name another",
            "#/namespace",
        ),
        (status(403, "Forbidden", FORBIDDEN), ProblemType.FORBIDDEN, "cannot create resource", None),
        (status(403, "Forbidden", "exceeded quota: q"), ProblemType.FORBIDDEN, "exceeded quota: q.", None),
        (status(413, "RequestEntityTooLarge"), ProblemType.TOO_LARGE, "Put long text into a file", None),
        (Refused(400, {}), ProblemType.INVALID_REQUEST, "HTTP status 400", None),
    ],
)
def test_refusals(refused: Refused, kind: ProblemType, words: str, pointer: str | None) -> None:
    problem = refusal(refused, "x")
    assert problem.kind == kind
    assert words in problem.detail
    assert [error.pointer for error in problem.errors] == ([pointer] if pointer else [])


def test_a_session_that_is_gone_is_not_there() -> None:
    assert refusal(status(404, "NotFound", kind="claudesessions"), "x", "some-id").kind == ProblemType.NOT_FOUND


@pytest.mark.parametrize(
    ("refused", "gone"),
    [
        (status(404, "NotFound"), True),
        (status(409, "Conflict"), True),
        (status(422, "Invalid", causes=[cause("field is immutable", "metadata.uid")]), True),
        (status(422, "Invalid", causes=[cause("no", "spec.query")]), False),
        (status(403, "Forbidden"), False),
    ],
)
def test_what_says_that_a_resource_is_gone(refused: Refused, gone: bool) -> None:
    assert is_gone(refused) == gone


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("spec.podTemplate.tolerations[0].effect", ["pod_template", "tolerations", 0, "effect"]),
        ("spec.mcpServers[myServer].commandLine", ["mcp_servers", "myServer", "command_line"]),
        ("spec", []),
        ("metadata.name", ["name"]),
        ("", []),
    ],
)
def test_a_field_as_rest_has_it(field: str, path: list[str | int]) -> None:
    assert rest_path(field) == path
