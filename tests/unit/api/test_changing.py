"""Which patches of a spec name what no spec has."""

from typing import Any

import pytest

from jelmore_api.errors import Problem
from jelmore_api.sessions.changing import changed_by
from jelmore_contract.resource import SessionSpec

BEFORE = SessionSpec.model_validate({"model": "opus", "mcpServers": {"a": {"command": "x", "args": []}}})


@pytest.mark.parametrize("value", [None, 1], ids=repr)
@pytest.mark.parametrize(
    ("path", "pointer"),
    [(("nothing",), "#/nothing"), (("",), "#/"), (("lifecycle", "nothing"), "#/lifecycle/nothing")],
    ids=["a field", "no name", "a field of a field"],
)
def test_an_unknown_name_is_refused_whatever_it_is_to_become(path: tuple[str, ...], pointer: str, value: Any) -> None:
    patch: Any = value
    for name in reversed(path):
        patch = {name: patch}
    with pytest.raises(Problem) as refused:
        changed_by(BEFORE, patch)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_what_is_there_can_be_taken_away() -> None:
    patch: dict[str, Any] = {
        "model": None,
        "lifecycle": {"turn_timeout": None},
        "mcp_servers": {"a": {"args": None}, "b": None},
    }
    after = changed_by(BEFORE, patch)
    assert (after.model, after.mcp_servers) == (None, {"a": {"command": "x"}})
