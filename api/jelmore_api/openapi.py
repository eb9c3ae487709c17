"""The description of the API, with what FastAPI does not know: problem documents, and the token."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from jelmore_api.errors import MEDIA_TYPE, SCHEMA, ProblemDocument, responses
from jelmore_contract.errors import ProblemType

_DEFAULT = {"HTTPValidationError", "ValidationError"}


def describe(app: FastAPI, *, with_token: bool) -> None:
    """Makes `app.openapi()` tell the whole; made when first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _whole(app, with_token=with_token)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way: docs, "Extending OpenAPI"


def _whole(app: FastAPI, *, with_token: bool) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components: dict[str, Any] = schema["components"]
    components["schemas"] = {name: model for name, model in components["schemas"].items() if name not in _DEFAULT}
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**problem.pop("$defs"), SCHEMA: problem}
    for calls in schema["paths"].values():
        for call in calls.values():
            _replace_default(call["responses"])
    if with_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
    return schema


def _replace_default(declared: dict[str, Any]) -> None:
    """FastAPI says of every call with parameters that it answers errors its own way."""
    if "422" in declared and MEDIA_TYPE not in declared["422"]["content"]:
        declared["422"] = responses(ProblemType.INVALID_REQUEST)[422]
