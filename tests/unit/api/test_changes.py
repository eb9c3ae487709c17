"""Changes of a spec, as merge patches: the cases of RFC 7396, appendix A, and those of a spec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jelmore_api.errors import Problem
from jelmore_api.resources.changes import changed_spec, difference, merge
from jelmore_api.resources.idempotency import ANNOTATION, Mark
from jelmore_contract.resource import Lifecycle, Metadata, SessionSpec


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge(target: JsonValue, patch: JsonValue, result: JsonValue) -> None:
    assert merge(target, patch) == result


_NO_NULL = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.sampled_from("abc"), _NO_NULL, max_size=3)


@given(before=_OBJECTS, after=_OBJECTS)
def test_a_difference_makes_the_one_of_the_other(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> None:
    assert merge(before, difference(before, after)) == after
    assert difference(after, after) == {}


def test_a_changed_spec() -> None:
    spec = SessionSpec(query="hi", model="opus")
    changed = changed_spec(spec, {"lifecycle": {"suspend": True}, "model": None})
    assert changed == SessionSpec(query="hi", lifecycle=Lifecycle(suspend=True))
    with pytest.raises(Problem) as caught:
        changed_spec(spec, {"lifecycle": {"suspend": "perhaps"}})
    assert [error.pointer for error in caught.value.errors] == ["#/lifecycle/suspend"]


def _metadata(annotation: str) -> Metadata:
    return Metadata.model_validate(
        {
            "name": "x",
            "uid": "11111111-0000-4000-8000-000000000000",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {ANNOTATION: annotation},
        }
    )


def test_a_mark_knows_its_key_and_its_request() -> None:
    first = Mark.of("a", "k", None, SessionSpec(query="hi"))
    made = _metadata(first.annotation)
    same = Mark.of("a", "k", None, SessionSpec(query="hi", model=None))
    assert (same.same_key(made), same.same_request(made)) == (True, True)
    for other in (
        Mark.of("a", "k", None, SessionSpec(query="ho")),
        Mark.of("a", "k", "n", SessionSpec(query="hi")),
        Mark.of("a", "k", None, SessionSpec(query="hi"), {"team": "a"}),
    ):
        assert (other.same_key(made), other.same_request(made)) == (True, False)
    for another in (Mark.of("b", "k", None, SessionSpec(query="hi")), Mark.of("a", "l", None, SessionSpec(query="hi"))):
        assert (another.same_key(made), another.same_request(made)) == (False, False)
    assert not first.same_key(_metadata(""))
