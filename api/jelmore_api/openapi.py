"""The description of the API, with what FastAPI does not know: problems, examples, and names for generated clients."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from jelmore_api.errors import MEDIA_TYPE, SCHEMA, ProblemDocument, bad_body_responses, responses
from jelmore_api.examples import CALLS, Example
from jelmore_contract.errors import ProblemType

_DEFAULT = {"HTTPValidationError", "ValidationError"}
#: What a session is made with and cannot be changed: no part of a change.
_FIXED = {"name", "namespace", "query", "session_id"}
_CHANGE = "SessionChange"

type _Json = dict[str, Any]


def operation_id(route: APIRoute) -> str:
    """The endpoint's own name, `create_session`; of one that says only what is done, it is done to a session."""
    return route.name if "_" in route.name else f"{route.name}_session"


def describe(app: FastAPI, *, with_token: bool) -> None:
    """Makes `app.openapi()` tell the whole; made when first asked for."""

    def openapi() -> _Json:
        if app.openapi_schema is None:
            app.openapi_schema = _whole(app, with_token=with_token)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way: docs, "Extending OpenAPI"


def _whole(app: FastAPI, *, with_token: bool) -> _Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas: _Json = document["components"]["schemas"]
    for name in _DEFAULT:
        schemas.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), SCHEMA: problem}
    schemas[_CHANGE] = _change(schemas["CreateSession"])
    for _, call in _calls(document):
        _complete(call)
    if with_token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return _renamed(document)


def _calls(document: _Json) -> Iterator[tuple[str, _Json]]:
    for calls in document["paths"].values():
        yield from calls.items()


def _change(create: _Json) -> _Json:
    """The merge patch of what a session is made with: each field as it is there, or null."""
    fields = {name: field for name, field in create["properties"].items() if name not in _FIXED}
    return {
        "title": _CHANGE,
        "type": "object",
        "description": "The fields of the spec that change, and labels, as a merge patch (RFC 7396): null takes away.",
        "properties": {name: _or_null(field) for name, field in fields.items()},
        "additionalProperties": False,
    }


def _or_null(field: _Json) -> _Json:
    kept = {key: value for key, value in field.items() if key not in ("default", "title", "description")}
    if isinstance(kept.get("additionalProperties"), dict):
        # Of a map, each entry by itself can be taken away.
        kept["additionalProperties"] = _or_null(kept["additionalProperties"])
    about = {"description": field["description"]} if "description" in field else {}
    if "anyOf" in kept:
        return {**about, **kept, "anyOf": [*(each for each in kept["anyOf"] if each != _NULL), _NULL]}
    return {**about, "anyOf": [kept, _NULL]}


_NULL = {"type": "null"}


def _complete(call: _Json) -> None:
    """With the problems that every such call can answer with, and its examples."""
    declared: _Json = call["responses"]
    if "422" in declared and MEDIA_TYPE not in declared["422"]["content"]:
        # FastAPI says of every call with parameters that it answers errors its own way.
        del declared["422"]
    body: _Json | None = call.get("requestBody")
    of_session = call["tags"] != ["health"]
    if of_session:
        common = responses(ProblemType.INVALID_REQUEST) if "parameters" in call or body else responses()
        for status, response in (common | (bad_body_responses() if body else {})).items():
            declared.setdefault(str(status), response)
    if body is not None and call["operationId"] == "change_session":
        reference = {"$ref": f"#/components/schemas/{_CHANGE}"}
        body["content"] = {media_type: {"schema": reference} for media_type in _PATCHES}
    call["responses"] = dict(sorted(declared.items()))
    _exemplify(call, CALLS[call["operationId"]])


_PATCHES = ("application/json", "application/merge-patch+json")


def _exemplify(call: _Json, example: Example) -> None:
    for media_type in call.get("requestBody", {}).get("content", {}).values():
        media_type["examples"] = {name: {"value": value} for name, value in example.requests.items()}
    for status, response in call["responses"].items():
        answer = example.answer if status.startswith("2") else example.failure
        for name, media_type in response.get("content", {}).items():
            if name != MEDIA_TYPE:
                media_type["examples"] = {"answer": {"value": example.other.get(name, answer)}}


def _renamed(document: _Json) -> _Json:
    """With schemas under their titles: what a generated client calls its classes."""
    schemas: _Json = document["components"]["schemas"]
    titles = [schema.get("title", name) for name, schema in schemas.items()]
    names = {
        name: schema["title"]
        for name, schema in schemas.items()
        if schema.get("title", "").isidentifier() and titles.count(schema["title"]) == 1
    }
    text = json.dumps(document)
    for name, title in names.items():
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{title}"')
    renamed: _Json = json.loads(text)
    renamed["components"]["schemas"] = {
        names.get(name, name): schema for name, schema in renamed["components"]["schemas"].items()
    }
    return renamed
