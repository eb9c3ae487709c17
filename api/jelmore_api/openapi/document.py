"""The document whole: FastAPI's own, completed."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from jelmore_api.auth.rules import is_open
from jelmore_api.errors import SCHEMA, ProblemDocument
from jelmore_api.openapi.calls import complete
from jelmore_api.openapi.merge_patch import changes
from jelmore_api.openapi.schemas import answered_whole, ref, rename, with_names

#: FastAPI's own errors, which are none of ours, and any value of a JsonObject.
_NOT_OURS = {"HTTPValidationError", "ValidationError", "JsonValue"}
_CHANGE = "SessionChange"
#: What a session is made with and cannot be changed: no part of a change.
_FIXED = {"name", "namespace", "query", "session_id"}

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
    document = rename(
        get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            separate_input_output_schemas=False,
        )
    )
    document["components"]["schemas"] = _schemas(document)
    # Its patch is read as it came, since a field that is null says something else than one that is not there.
    document["paths"]["/api/v1/session/{session_id}"]["patch"]["requestBody"]["content"] = {
        "application/json": {"schema": ref(_CHANGE)}
    }
    for path, call in _calls(document):
        complete(call, is_open=is_open(path))
        if with_token and is_open(path):
            call["security"] = []
    if with_token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _schemas(document: _Json) -> _Json:
    given = {name: schema for name, schema in document["components"]["schemas"].items() if name not in _NOT_OURS}
    schemas = answered_whole(with_names(given), document["paths"])
    changed = changes("CreateSession", _CHANGE, schemas, without=_FIXED)
    return dict(sorted({**schemas, **changed, **_problem()}.items()))


def _problem() -> _Json:
    """Of the problem document, too, all is said: what is None is left out."""
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    found = {**problem.pop("$defs"), SCHEMA: problem}
    for schema in found.values():
        for described in schema["properties"].values():
            described.pop("default", None)
    return found


def _calls(document: _Json) -> Iterator[tuple[str, _Json]]:
    for path, calls in document["paths"].items():
        for call in calls.values():
            yield path, call
