"""The description is whole: every call, every problem, an example for each, and names for generated clients."""

import json
import re
from typing import Any

import jsonschema
import pytest
from fastapi.routing import iter_route_contexts
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from jelmore_api.auth.rules import RULES
from jelmore_api.errors import TYPE_URI
from jelmore_api.examples import CALLS
from jelmore_api.main import create_app
from jelmore_api.settings import Settings
from jelmore_contract.errors import ProblemType

APP = create_app(Settings())
DOCUMENT = APP.openapi()
OPERATIONS: dict[str, dict[str, Any]] = {
    call["operationId"]: call for calls in DOCUMENT["paths"].values() for call in calls.values()
}


def _examples() -> list[tuple[str, dict[str, Any], Any]]:
    """Where each stands, its schema, and the example."""
    found = []
    for name, call in OPERATIONS.items():
        parts = {"request": call.get("requestBody", {}), **call["responses"]}
        for part, described in parts.items():
            for media_type, content in described.get("content", {}).items():
                for title, example in content["examples"].items():
                    found.append((f"{name} {part} {media_type} {title}", content.get("schema", {}), example["value"]))
    return found


EXAMPLES = _examples()


@pytest.mark.parametrize("schema_and_value", [each[1:] for each in EXAMPLES], ids=[each[0] for each in EXAMPLES])
def test_every_example_is_as_its_schema_says(schema_and_value: tuple[dict[str, Any], Any]) -> None:
    schema, value = schema_and_value
    whole = {"components": DOCUMENT["components"], **schema}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_every_route_is_described_and_has_examples() -> None:
    described = {(method.upper(), path) for path, calls in DOCUMENT["paths"].items() for method in calls}
    routes = {
        (method, str(route.path))
        for route in iter_route_contexts(APP.routes)
        for method in route.methods or ()
        if method != "HEAD"
        and not str(route.path).startswith(("/api/v1/docs", "/api/v1/redoc", "/api/v1/openapi.json"))
    }
    assert described == routes
    assert {(method, path) for method, path in RULES if method != "WEBSOCKET"} <= described
    assert set(OPERATIONS) <= set(CALLS)
    for name, call in OPERATIONS.items():
        for status, response in call["responses"].items():
            for content in response.get("content", {}).values():
                assert content["examples"], (name, status)
        for content in call.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], name


def test_every_problem_has_an_example() -> None:
    types = {value["type"] for _, _, value in EXAMPLES if isinstance(value, dict) and "type" in value}
    assert types == {TYPE_URI + kind for kind in ProblemType}


def test_every_problem_says_what_to_do() -> None:
    for place, _, value in EXAMPLES:
        if "problem+json" in place:
            assert len(value["detail"]) > len(value["title"]) or "errors" in value, place


def test_names_are_those_of_a_client() -> None:
    for name in OPERATIONS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name), name
    for name in DOCUMENT["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name


def test_bodies_and_answers_are_named_schemas() -> None:
    for name, call in OPERATIONS.items():
        for part in (call.get("requestBody", {}), *call["responses"].values()):
            for media_type, content in part.get("content", {}).items():
                if media_type.endswith("json"):
                    assert set(content["schema"]) == {"$ref"}, name


def test_every_field_parameter_and_answer_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
    for name, call in OPERATIONS.items():
        assert call["summary"], name
        assert call["description"], name
        for parameter in call.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])
        for status, response in call["responses"].items():
            assert response["description"] != "Successful Response", (name, status)
            for header in response["headers"].values():
                assert header["description"], (name, status)


def test_every_reference_leads_to_a_schema_and_every_schema_is_needed() -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert names == set(DOCUMENT["components"]["schemas"])


def test_a_change_may_hold_null_at_every_depth_but_for_what_must_be_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    changes = {name: schema for name, schema in schemas.items() if name.endswith("Change")}
    firm = {
        f"{name}.{field}"
        for name, schema in changes.items()
        for field, described in schema.get("properties", {}).items()
        if {"type": "null"} not in described.get("anyOf", ())
    }
    assert firm == {"GitChange.url", "CredentialsChange.secret_name"}
    assert '"default"' not in json.dumps(changes)
    assert not {name for name, schema in changes.items() if "required" in schema}


def test_what_is_open_needs_no_token() -> None:
    guarded = create_app(Settings(token=SecretStr("x" * 32))).openapi()
    assert guarded["security"] == [{"token": []}]
    opened = {path for path, calls in guarded["paths"].items() for call in calls.values() if call.get("security") == []}
    assert opened == {"/healthz", "/readyz", "/metrics", "/api/v1/asyncapi.json"}


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/session", "POST"),
        ("/api/v1/sessions", "GET, HEAD"),
        ("/api/v1/session/550e8400-e29b-41d4-a716-446655440000", "DELETE, GET, HEAD, PATCH"),
        ("/healthz", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_there(path: str, allow: str) -> None:
    async with AsyncClient(transport=ASGITransport(APP), base_url="http://127.0.0.1") as client:
        answer = await client.request("OPTIONS", path, headers={"Origin": "http://elsewhere.example"})
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert json.loads(answer.content)["status"] == 405


async def test_head_is_get_without_its_body() -> None:
    async with AsyncClient(transport=ASGITransport(APP), base_url="http://127.0.0.1") as client:
        whole, head = [await client.request(method, "/healthz") for method in ("GET", "HEAD")]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
