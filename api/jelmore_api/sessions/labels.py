"""Labels, as Kubernetes has them: what a client may set, how they change, and how a list is filtered by them. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from jelmore_api.errors import FieldError, Problem, from_validation, invalid_field
from jelmore_contract.errors import ProblemType

#: That a client may set on one session.
MOST_LABELS = 64
#: Whose labels mean something to somebody else: to Jelmore, to Kubernetes, to tools that manage its objects.
_RESERVED = r"^([a-z0-9.-]+\.)?(jelmore\.dev|kubernetes\.io|k8s\.io)/"
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PREFIX_LENGTH = 253


def is_reserved(key: str) -> bool:
    return re.match(_RESERVED, key) is not None


def _settable(key: str) -> str:
    if is_reserved(key):
        raise PydanticCustomError("reserved", "labels of jelmore.dev, kubernetes.io and k8s.io are not for clients")
    if len(key.rpartition("/")[0]) > _PREFIX_LENGTH:
        raise PydanticCustomError("prefix", f"the part before / must have at most {_PREFIX_LENGTH} characters")
    return key


_KEY_PATTERN, _KEY_LENGTH = rf"^({_DOMAIN}(\.{_DOMAIN})*/)?{_NAME}$", _PREFIX_LENGTH + 64
_VALUE_PATTERN, _VALUE_LENGTH = rf"^({_NAME})?$", 63

#: What a list is filtered by. Nothing else is any session's label, and PostgreSQL takes no NUL.
WantedLabel = Annotated[
    str,
    StringConstraints(pattern=rf"{_KEY_PATTERN[:-1]}=({_NAME})?$", max_length=_KEY_LENGTH + 1 + _VALUE_LENGTH),
]

LabelKey = Annotated[str, StringConstraints(pattern=_KEY_PATTERN, max_length=_KEY_LENGTH), AfterValidator(_settable)]
LabelValue = Annotated[str, StringConstraints(pattern=_VALUE_PATTERN, max_length=_VALUE_LENGTH)]
#: pydantic's own schema of a map says nothing of a key that does not fit.
_SCHEMA: JsonSchemaValue = {
    "type": "object",
    "maxProperties": MOST_LABELS,
    "propertyNames": {
        "pattern": _KEY_PATTERN,
        "maxLength": _KEY_LENGTH,
        "not": {"pattern": f"{_RESERVED}|^[^/]{{{_PREFIX_LENGTH + 1},}}/"},
    },
    "additionalProperties": {"type": "string", "pattern": _VALUE_PATTERN, "maxLength": _VALUE_LENGTH},
}
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=MOST_LABELS), WithJsonSchema(_SCHEMA)]

_LABELS: TypeAdapter[dict[str, str]] = TypeAdapter(Labels)
_KEY: TypeAdapter[str] = TypeAdapter(LabelKey)


def labels_change(before: Mapping[str, str], patch: JsonValue) -> dict[str, str | None]:
    """`patch`: a merge patch of the labels; null takes away all that a client may set. What the store is to change.

    Raises Problem.
    """
    own = {key: value for key, value in before.items() if not is_reserved(key)}
    if patch is None:
        return dict.fromkeys(own)
    if not isinstance(patch, dict):
        raise _refused("must be an object of labels, or null to take all away")
    try:
        taken_away: dict[str, str | None] = {_KEY.validate_python(key): None for key in patch if patch[key] is None}
        after = {key: value for key, value in own.items() if key not in taken_away}
        changed = {key: value for key, value in patch.items() if value is not None}
        _LABELS.validate_python({**after, **changed})
        return taken_away | _LABELS.validate_python(changed)
    except ValidationError as error:
        raise from_validation(
            [{**found, "loc": ("body", "labels", *found["loc"])} for found in error.errors()]
        ) from None


def _refused(detail: str) -> Problem:
    return Problem(ProblemType.INVALID_REQUEST, f"labels: {detail}.", errors=[invalid_field(detail, "labels")])


def wanted_labels(given: Sequence[str]) -> dict[str, str]:
    """Of a WantedLabel each. Raises Problem for two values of one key, which nothing has."""
    wanted: dict[str, str] = {}
    for label in given:
        key, _, value = label.partition("=")
        if wanted.setdefault(key, value) != value:
            detail = f"give each key once; {key} has two values"
            raise Problem(
                ProblemType.INVALID_REQUEST,
                f"label: {detail}.",
                errors=[FieldError(detail=detail, pointer=None, parameter="label")],
            )
    return wanted
