"""Problem documents (RFC 9457): what every call answers when it cannot do what was asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from jelmore_api.auth.rules import allowed_methods
from jelmore_contract.errors import ProblemType

MEDIA_TYPE = "application/problem+json"
TYPE_URI = "https://jelmore.dev/problems/"
#: Name of the document's schema in OpenAPI.
SCHEMA = "Problem"
#: Seconds until a client should try again while something that is needed is away.
RETRY_AFTER = 2

_KINDS: dict[ProblemType, tuple[int, str]] = {
    ProblemType.INVALID_REQUEST: (422, "The request is not valid"),
    ProblemType.NOT_FOUND: (404, "There is no such thing"),
    ProblemType.CONFLICT: (409, "The request conflicts with what is there"),
    ProblemType.SESSION_ENDED: (409, "The session has ended"),
    ProblemType.NOT_ACCEPTABLE: (406, "The answer is in none of the media types that are accepted"),
    ProblemType.TOO_LARGE: (413, "The request is too large"),
    ProblemType.FORBIDDEN_ORIGIN: (403, "Requests from there are not allowed"),
    ProblemType.UNAUTHORIZED: (401, "A token is needed"),
    ProblemType.FORBIDDEN: (403, "The caller may not do this"),
    ProblemType.WORKSPACE_NOT_ALLOWED: (422, "The workspace is not allowed"),
    ProblemType.UNAVAILABLE: (503, "Something that is needed is away"),
    ProblemType.INTERNAL: (500, "Jelmore failed"),
}


class FieldError(BaseModel):
    """What is wrong with one part of the request: of its body, or of its path, query or headers."""

    detail: str = Field(description="What it must be.", examples=["must not be blank"])
    pointer: str | SkipJsonSchema[None] = Field(
        None, description="JSON pointer (RFC 6901) into the body.", examples=["#/query"]
    )
    parameter: str | SkipJsonSchema[None] = Field(None, description="Name of a parameter of path or query.")


class ProblemDocument(BaseModel):
    """What went wrong, and what to do (RFC 9457)."""

    model_config = ConfigDict(title=SCHEMA)

    type: str = Field(
        description=f"`{TYPE_URI}` and one of: {', '.join(ProblemType)}.",
        examples=[f"{TYPE_URI}{ProblemType.INVALID_REQUEST}"],
    )
    title: str = Field(description="The same for every problem of a type.")
    status: int = Field(description="As the answer's own.")
    detail: str = Field(description="What is wrong, and what to do.")
    errors: list[FieldError] | SkipJsonSchema[None] = Field(None, description="By field, where it is the request's.")


class Problem(Exception):
    """Raised anywhere below an endpoint; becomes the response.

    status: only where one type stands for several, otherwise the type's own. headers: sent along.
    """

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status or _KINDS[kind][0]
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def document(self) -> ProblemDocument:
        return ProblemDocument(
            type=TYPE_URI + self.kind,
            title=_KINDS[self.kind][1],
            status=self.status,
            detail=self.detail,
            errors=self.errors or None,
        )

    def response(self) -> Response:
        body = self.document().model_dump(exclude_none=True)
        return JSONResponse(body, self.status, self.headers, MEDIA_TYPE)


def unavailable(what: str) -> Problem:
    """`what`: the server that does not answer, as in "PostgreSQL"."""
    detail = f"{what} does not answer. Try again in a moment; /readyz says what is away."
    return Problem(ProblemType.UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER)})


def no_session(session_id: str) -> Problem:
    return Problem(
        ProblemType.NOT_FOUND, f"There is no session {session_id}. GET /api/v1/sessions lists those that there are."
    )


def no_path() -> Problem:
    return Problem(ProblemType.NOT_FOUND, "There is no such path. /api/v1/docs lists what there is.")


def session_ended(session_id: str) -> Problem:
    detail = f"Session {session_id} has ended: it takes nothing more. Its log stays readable; create another to go on."
    return Problem(ProblemType.SESSION_ENDED, detail)


def not_acceptable(*offered: str) -> Problem:
    detail = f"The Accept header refuses all that there is: {', '.join(offered)}. Leave it out for the first one."
    return Problem(ProblemType.NOT_ACCEPTABLE, detail)


def too_large() -> Problem:
    return Problem(ProblemType.TOO_LARGE, "The body is too large. Put long text into a file of the workspace.")


def internal() -> Problem:
    detail = "This is a fault of Jelmore, not of the request. Its log has more, under this answer's X-Request-Id."
    return Problem(ProblemType.INTERNAL, detail)


def invalid_field(detail: str, *path: str | int) -> FieldError:
    """An error of the body at `path`."""
    return FieldError(detail=detail, pointer=_pointer(path), parameter=None)


def _pointer(path: Sequence[str | int]) -> str:
    return "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def from_validation(found: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem that pydantic's errors are: 400 for what is no JSON, 413 for a query that is too long, otherwise 422.

    What was sent is not repeated: it may be long, and it may be secret.
    """
    errors = [_field_error(error) for error in found]
    if any(error["type"] == "json_invalid" for error in found):
        detail = f"The body is no JSON: {errors[0].detail}. Send one JSON object."
        return Problem(ProblemType.INVALID_REQUEST, detail, status=400)
    if any(error["type"] == "string_too_long" and tuple(error["loc"]) == ("body", "query") for error in found):
        limit = found[0].get("ctx", {}).get("max_length")
        detail = f"The query is too long: at most {limit} characters. Put long text into a file of the workspace."
        return Problem(ProblemType.TOO_LARGE, detail, errors=errors)
    first = errors[0]
    where = first.parameter or (first.pointer or "#").removeprefix("#/").replace("#", "the body").replace("/", ".")
    detail = f"{where}: {first.detail}." + (f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else "")
    return Problem(ProblemType.INVALID_REQUEST, detail, errors=errors)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, *path = error["loc"] or ("body",)
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    if error["type"] == "json_invalid":
        message = f"{error.get('ctx', {}).get('error', message)} at character {path[0] if path else 0}".rstrip(".")
        path = []
    if error["type"] == "extra_forbidden":
        message = "there is no such field"
    if kind == "body":
        return invalid_field(message, *path)
    return FieldError(detail=message, pointer=None, parameter=str(path[0] if path else kind))


_PLAIN = {
    400: (ProblemType.INVALID_REQUEST, "The body cannot be read as JSON. Send one JSON object."),
    404: (ProblemType.NOT_FOUND, no_path().detail),
    405: (ProblemType.INVALID_REQUEST, "This path does not take this method. /api/v1/docs lists what there is."),
    413: (ProblemType.TOO_LARGE, too_large().detail),
}


def add_handlers(app: FastAPI) -> None:
    """Makes every error of the application a problem document; what nobody expected, AccessLog answers."""

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
        return from_validation(error.errors()).response()

    async def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind, detail = _PLAIN.get(error.status_code, (ProblemType.INVALID_REQUEST, str(error.detail)))
        headers = {"Allow": allowed_methods(request.url.path)} if error.status_code == 405 else error.headers
        return Problem(kind, detail, status=error.status_code, headers=headers).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(WebSocketRequestValidationError, validation)
    app.add_exception_handler(HTTPException, plain)


#: What may come of any call: without a token, without the right, for whom the service does not answer, or a fault.
_ANY = (
    ProblemType.UNAUTHORIZED,
    ProblemType.FORBIDDEN,
    ProblemType.FORBIDDEN_ORIGIN,
    ProblemType.INTERNAL,
    ProblemType.UNAVAILABLE,
)
_SOME_ID = "550e8400-e29b-41d4-a716-446655440000"


def example(kind: ProblemType) -> Problem:
    """One of each kind, as it may be answered."""
    match kind:
        case ProblemType.INVALID_REQUEST:
            error = invalid_field("must not be blank", "query")
            return Problem(kind, "query: must not be blank.", errors=[error])
        case ProblemType.NOT_FOUND:
            return no_session(_SOME_ID)
        case ProblemType.SESSION_ENDED:
            return session_ended(_SOME_ID)
        case ProblemType.TOO_LARGE:
            return too_large()
        case ProblemType.UNAVAILABLE:
            return unavailable("PostgreSQL")
        case ProblemType.INTERNAL:
            return internal()
        case _:
            return Problem(kind, _DETAILS[kind])


_DETAILS = {
    ProblemType.CONFLICT: "There is a session named docs already: choose another name, or delete that one.",
    ProblemType.NOT_ACCEPTABLE: "The Accept header refuses all that there is: application/json, text/event-stream. "
    "Leave it out for the first one.",
    ProblemType.FORBIDDEN_ORIGIN: "The Origin header says that a page of another site sent this. Only pages served "
    "from here may.",
    ProblemType.UNAUTHORIZED: "This Jelmore wants the token that it was started with: send it in the header "
    "Authorization: Bearer TOKEN; the jelmore command takes it from JELMORE_TOKEN.",
    ProblemType.FORBIDDEN: "alice may not update claudesessions.jelmore.dev in namespace team-a: ask whoever "
    "administers it for a Role and a RoleBinding that allow it.",
    ProblemType.WORKSPACE_NOT_ALLOWED: "workspace.path does not exist; make the folder first.",
}


def responses(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the problems that a call may answer with; with those that any call may."""
    return declared(*kinds, *_ANY)


def declared(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """The same without those."""
    return _declared([example(kind) for kind in kinds])


def bad_body_responses() -> dict[int | str, dict[str, Any]]:
    """The same of what is wrong with a body, whatever is in it."""
    no_json = "The body is no JSON: Expecting value at character 0. Send one JSON object."
    no_type = "The body must be JSON and say so: send the header Content-Type: application/json."
    kind = ProblemType.INVALID_REQUEST
    return _declared([Problem(kind, no_json, status=400), too_large(), Problem(kind, no_type, status=415)])


def _declared(problems: Sequence[Problem]) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        title = _KINDS[problem.kind][1]
        content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}, "examples": {}}}
        entry = found.setdefault(problem.status, {"description": title, "content": content})
        value = problem.document().model_dump(mode="json", exclude_none=True)
        entry["content"][MEDIA_TYPE]["examples"][problem.kind.value] = {"summary": title, "value": value}
    return found
