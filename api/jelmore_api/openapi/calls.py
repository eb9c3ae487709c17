"""What every call has: problems, headers, and examples."""

from typing import Any

from jelmore_api.errors import MEDIA_TYPE, bad_body_responses, declared, responses
from jelmore_api.examples import CALLS, Example
from jelmore_contract.errors import ProblemType

type _Json = dict[str, Any]


def _header(description: str, **schema: Any) -> _Json:
    return {"description": description, "required": True, "schema": {"type": "string", **schema}}


_REQUEST_ID = {"X-Request-Id": _header("Of this request, as in the log: the one that it came with, or a new one.")}
_LOCATION = {"Location": _header("The session's path.")}
#: Of a problem with that status.
_OF_PROBLEMS = {
    "401": {"WWW-Authenticate": _header("Bearer, and where to get a token.")},
    "503": {"Retry-After": _header("Seconds.", pattern="^[0-9]+$")},
}


def complete(call: _Json, *, is_open: bool) -> None:
    """Adds what FastAPI does not know of a call. is_open: to anybody."""
    found: _Json = call["responses"]
    if "422" in found and MEDIA_TYPE not in found["422"]["content"]:
        # FastAPI says of every call with parameters that it answers errors its own way.
        del found["422"]
    for status, response in _common(call, is_open=is_open).items():
        found.setdefault(str(status), response)
    call["responses"] = dict(sorted(found.items()))
    _exemplify(call, CALLS[call["operationId"]])
    for status, response in call["responses"].items():
        of_problem = _OF_PROBLEMS.get(status, {}) if MEDIA_TYPE in response.get("content", {}) else {}
        response["headers"] = {**_REQUEST_ID, **(_LOCATION if status == "201" else {}), **of_problem}


def _common(call: _Json, *, is_open: bool) -> dict[int | str, _Json]:
    """The problems that every such call can answer with."""
    if is_open:
        return declared(ProblemType.FORBIDDEN_ORIGIN, ProblemType.INTERNAL)
    has_body = "requestBody" in call
    common = responses(ProblemType.INVALID_REQUEST) if "parameters" in call or has_body else responses()
    return common | (bad_body_responses() if has_body else {})


def _exemplify(call: _Json, example: Example) -> None:
    for media_type in call.get("requestBody", {}).get("content", {}).values():
        media_type["examples"] = {name: {"value": value} for name, value in example.requests.items()}
    for status, response in call["responses"].items():
        answer = example.answer if status.startswith("2") else example.failure
        for name, media_type in response.get("content", {}).items():
            if name != MEDIA_TYPE:
                media_type["examples"] = {"answer": {"value": example.other.get(name, answer)}}
