"""Labels: what a client may set, how they change, how a list is filtered by them."""

from typing import Any

import pytest
from pydantic import ValidationError

from jelmore_api.errors import Problem
from jelmore_api.sessions.labels import MOST_LABELS, labels_change, wanted_labels
from jelmore_api.sessions.schemas import CreateSession

TAKEN = [
    {"team": "platform"},
    {"example.com/team": ""},
    {"a.b-c.example/Name_with.all": "v-1_2.3"},
    {"k" * 63: "v" * 63},
    {f"{'a' * 253}/k": "v"},
    {"notjelmore.dev/x": "v"},
    {str(n): "" for n in range(MOST_LABELS)},
]
REFUSED: list[dict[str, Any]] = [
    {"": "v"},
    {"-a": "v"},
    {"a b": "v"},
    {"a/b/c": "v"},
    {"/a": "v"},
    {"UPPER.example/a": "v"},
    {"k" * 64: "v"},
    {f"{'a' * 254}/k": "v"},
    {"a": "-v"},
    {"a": "v\n"},
    {"a": "é"},
    {"a": "v" * 64},
    {"a": 1},
    {"jelmore.dev/x": "v"},
    {"kubernetes.io/x": "v"},
    {"app.kubernetes.io/part-of": "v"},
    {"k8s.io/x": "v"},
    {str(n): "" for n in range(MOST_LABELS + 1)},
]


@pytest.mark.parametrize("labels", TAKEN, ids=repr)
def test_taken(labels: dict[str, str]) -> None:
    assert CreateSession(labels=labels).labels == labels
    assert labels_change({}, dict(labels)) == labels


@pytest.mark.parametrize("labels", REFUSED, ids=repr)
def test_refused(labels: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreateSession(labels=labels)
    with pytest.raises(Problem) as refused:
        labels_change({}, dict(labels))
    assert refused.value.status == 422
    assert str(refused.value.errors[0].pointer).startswith("#/labels")


BEFORE = {"a": "1", "b": "2", "app.kubernetes.io/instance": "argo"}


@pytest.mark.parametrize(
    ("patch", "change"),
    [
        ({}, {}),
        ({"a": "1"}, {"a": "1"}),
        ({"a": "3", "c": "4"}, {"a": "3", "c": "4"}),
        ({"a": None, "d": None}, {"a": None, "d": None}),
        (None, {"a": None, "b": None}),
    ],
)
def test_a_change(patch: Any, change: dict[str, str | None]) -> None:
    assert labels_change(BEFORE, patch) == change


@pytest.mark.parametrize(
    "patch",
    [
        "a",
        ["a"],
        {"app.kubernetes.io/instance": None},
        {"app.kubernetes.io/instance": "me"},
        {str(n): "" for n in range(MOST_LABELS - 1)},
    ],
    ids=["a text", "a list", "not to be taken away", "not to be set", "too many together"],
)
def test_a_change_that_is_refused(patch: Any) -> None:
    with pytest.raises(Problem):
        labels_change(BEFORE, patch)


def test_wanted() -> None:
    assert wanted_labels(["a=1", "example.com/b=", "a=1"]) == {"a": "1", "example.com/b": ""}


def test_wanted_that_nothing_has() -> None:
    with pytest.raises(Problem) as refused:
        wanted_labels(["a=1", "a=2"])
    assert refused.value.errors[0].parameter == "label"
