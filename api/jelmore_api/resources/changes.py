"""What a change makes of a spec: pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from jelmore_api.errors import from_validation
from jelmore_contract.resource import SessionSpec


def merge(target: JsonValue, patch: JsonValue) -> JsonValue:
    """A merge patch (RFC 7396): objects are merged, null takes away, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def difference(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The merge patch that makes the one of the other."""
    patch: dict[str, JsonValue] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if old == value:
            continue
        patch[name] = difference(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return patch


def changed_labels(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """`changes`: a merge patch."""
    merged = {**labels, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def changed_spec(spec: SessionSpec, changes: Mapping[str, Any]) -> SessionSpec:
    """`changes`: a merge patch in camelCase. Raises Problem where what comes out is no spec."""
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    try:
        return SessionSpec.model_validate(merge(document, dict(changes)))
    except ValidationError as error:
        raise from_validation([{**found, "loc": ("body", *found["loc"])} for found in error.errors()]) from None
