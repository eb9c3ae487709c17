"""Changing a session's spec: what may change, and what the store is told. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from jelmore_api.errors import FieldError, Problem, from_validation, invalid_field
from jelmore_api.resources.changes import difference, merge
from jelmore_api.sessions.spec_fields import SpecFields
from jelmore_api.sessions.views import spec_fields
from jelmore_contract.errors import ProblemType
from jelmore_contract.resource import SessionSpec

_FIXED = "cannot be changed: make another session"
_FOR_GOOD = "cannot be added or taken away: make another session"
_FIRST_INPUT = "is the first input and cannot be changed: send another input instead"


def changed_by(before: SessionSpec, body: Mapping[str, JsonValue]) -> SessionSpec:
    """`body`: a merge patch (RFC 7396) of the spec as REST has it. Raises Problem."""
    document = spec_fields(before).model_dump(mode="json", exclude_none=True)
    if unknown := _unknown(body):
        raise _refused(unknown)
    try:
        fields = SpecFields.model_validate(merge(document, dict(body)))
        after = SessionSpec.model_validate(fields.model_dump())
    except ValidationError as error:
        raise _refused(error.errors()) from None
    if errors := fixed(before, after):
        where = (errors[0].pointer or "").removeprefix("#/").replace("/", ".")
        raise Problem(ProblemType.INVALID_REQUEST, f"{where} {errors[0].detail}.", errors=errors)
    return after


def _unknown(body: Mapping[str, JsonValue]) -> list[ErrorDetails]:
    """The patch's names that no spec has: merged, one that is null would leave no trace."""
    try:
        SpecFields.model_validate(body)
    except ValidationError as error:
        return [found for found in error.errors() if found["type"] == "extra_forbidden"]
    return []


def _refused(errors: Sequence[ErrorDetails]) -> Problem:
    return from_validation([{**found, "loc": ("body", *found["loc"])} for found in errors])


def fixed(before: SessionSpec, after: SessionSpec) -> list[FieldError]:
    """What was changed and must not be; the API server of a cluster refuses the same."""
    changed = {
        ("query",): (before.query != after.query, _FIRST_INPUT),
        ("session_id",): (before.session_id != after.session_id, _FIXED),
        ("workspace", "path"): (before.workspace.path != after.workspace.path, _FIXED),
        ("workspace", "git"): ((before.workspace.git is None) != (after.workspace.git is None), _FOR_GOOD),
        ("workspace", "storage"): (before.workspace.storage != after.workspace.storage, _FIXED),
    }
    return [invalid_field(detail, *path) for path, (is_changed, detail) in changed.items() if is_changed]


def spec_change(before: SessionSpec, after: SessionSpec) -> dict[str, Any]:
    """The change as a merge patch of the resource's spec."""
    documents = [spec.model_dump(mode="json", by_alias=True, exclude_none=True) for spec in (before, after)]
    return difference(*documents)
