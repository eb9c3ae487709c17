"""A session's fields from what was typed."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jelmore.problems import InvalidRequest
from jelmore.values import Json


def read_labels(given: Sequence[str] | None) -> dict[str, str] | None:
    """From "name=value". Raises InvalidRequest."""
    if not given:
        return None
    labels = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not (name and mark):
            raise InvalidRequest(f'"{text}" is no label: give it as NAME=VALUE')
        labels[name] = value
    return labels


def read_spec(file: str) -> Json:
    """The JSON object in a file, or in stdin (-). Raises InvalidRequest."""
    try:
        document = json.loads(sys.stdin.read() if file == "-" else Path(file).read_bytes())
    except OSError as error:
        raise InvalidRequest(f"--spec {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidRequest(f"--spec {file} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f'--spec {file} is no JSON object such as {{"model": "opus"}}')
    return document


def session_spec(spec: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
    """The spec with what was given besides, by the dotted name of the field; None is nothing. Pure."""
    whole: Json = json.loads(json.dumps(dict(spec)))
    for name, value in given.items():
        if value is not None:
            _put(whole, name.split("."), value)
    return whole


def _put(into: Json, path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        inside = into.get(part)
        if not isinstance(inside, dict):
            inside = into[part] = {}
        into = inside
    if path[-1] == "labels" and isinstance(value, dict):
        value = {**(into.get("labels") or {}), **value}
    into[path[-1]] = value
