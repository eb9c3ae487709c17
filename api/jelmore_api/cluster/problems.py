"""What the Kubernetes API refuses, as problem documents: pure."""

import re
from collections.abc import Mapping
from typing import Any

from jelmore_api.cluster.answers import NAME, Refused
from jelmore_api.errors import FieldError, Problem, invalid_field, no_session, unavailable
from jelmore_contract.errors import ProblemType

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
#: What the API server puts before a message: it repeats the value, which may be long or secret.
_PREFIX = re.compile(
    r"(?:Forbidden|Required value|Too long|Too many): "
    r'|(?:Invalid|Unsupported|Duplicate) value: (?:"(?:[^"\\]|\\.)*"|[^":]*): '
)
#: A step of a field's path: a name, an index, or a key in brackets.
_STEP = re.compile(r"([A-Za-z0-9_]+)|\[([^\]]*)\]")


def refusal(refused: Refused, namespace: str, session_id: str = "") -> Problem:
    """What a refused write on a session is to whoever asked for it. `session_id`: "" for one that was to be made."""
    match refused.status, refused.reason:
        case 404, _ if _of(refused) == "namespaces" or (refused.reason == "NotFound" and not session_id):
            return _no_namespace(refused, namespace)
        case 404, _:
            return no_session(session_id)
        case 403, _ if _caused_by(refused, "NamespaceTerminating"):
            error = invalid_field("is being deleted", "namespace")
            detail = f"The namespace {namespace} is being deleted: name another."
            return Problem(ProblemType.INVALID_REQUEST, detail, errors=[error])
        case 403, _:
            detail = f"Kubernetes does not allow it in namespace {namespace}: {_sentence(refused.message)}"
            return Problem(ProblemType.FORBIDDEN, detail)
        case 413, _:
            detail = "The session's fields take more than Kubernetes stores. Put long text into a file."
            return Problem(ProblemType.TOO_LARGE, detail)
        case 409, _:
            return Problem(ProblemType.CONFLICT, f"{_sentence(refused.message)} Look at the session, and try again.")
        case _:
            errors = _field_errors(refused.document)
            return Problem(ProblemType.INVALID_REQUEST, _detail(refused, errors), errors=errors)


def is_gone(refused: Refused) -> bool:
    """Whether a write that names a resource's uid found none any more, or another of its name."""
    another = any(cause.get("field") == "metadata.uid" for cause in _causes(refused.document))
    return refused.status in (404, 409) or another


def _no_namespace(refused: Refused, namespace: str) -> Problem:
    if _of(refused) != "namespaces":
        # The path itself is unknown: the API server has no such kind.
        return unavailable(f"{NAME}, asked for ClaudeSessions (their CustomResourceDefinition is not installed),")
    error = invalid_field("does not exist", "namespace")
    detail = f"There is no namespace {namespace}: create it, or name another."
    return Problem(ProblemType.INVALID_REQUEST, detail, errors=[error])


def _of(refused: Refused) -> str:
    """The kind that the answer is about."""
    details = refused.document.get("details")
    return str(details.get("kind") or "") if isinstance(details, Mapping) else ""


def _causes(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = document.get("details")
    found = details.get("causes") if isinstance(details, Mapping) else None
    return [cause for cause in found or () if isinstance(cause, Mapping)]


def _caused_by(refused: Refused, reason: str) -> bool:
    return any(cause.get("reason") == reason for cause in _causes(refused.document))


def _field_errors(document: Mapping[str, Any]) -> list[FieldError]:
    return [
        invalid_field(_without_value(str(cause.get("message") or "is not valid")), *rest_path(field))
        for cause in _causes(document)
        # The other says only that some rules were not looked at.
        if (field := str(cause.get("field") or "")) != "<nil>"
    ]


def _without_value(message: str) -> str:
    match = _PREFIX.match(message)
    return message[match.end() :] if match else message


def rest_path(field: str) -> list[str | int]:
    """A field of the resource, as REST has it: `spec.podTemplate.tolerations[0]` -> pod_template, tolerations, 0."""
    steps: list[str | int] = []
    for name, key in _STEP.findall(field):
        steps.append(int(key) if key.isdigit() else key if not name else _CAPITAL.sub(r"_\1", name).lower())
    return steps[1:] if steps[:1] in (["spec"], ["metadata"]) else steps


def _detail(refused: Refused, errors: list[FieldError]) -> str:
    if not errors:
        return f"Kubernetes refuses it: {_sentence(refused.message)}"
    first = errors[0]
    where = (first.pointer or "#").removeprefix("#/").replace("#", "the session").replace("/", ".")
    return f"{where}: {_sentence(first.detail)}" + (f" (and {len(errors) - 1} more, see errors)" if errors[1:] else "")


def _sentence(text: str) -> str:
    return text.rstrip(" .") + "."
