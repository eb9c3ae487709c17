import io
import json
from pathlib import Path
from typing import Any

import pytest

from jelmore.command.specs import read_labels, read_spec, session_spec
from jelmore.problems import InvalidRequest


@pytest.mark.parametrize(
    ("spec", "given", "whole"),
    [
        ({}, {"name": None}, {}),
        ({"model": "opus"}, {"model": None, "name": "x"}, {"model": "opus", "name": "x"}),
        ({"model": "opus"}, {"model": "haiku"}, {"model": "haiku"}),
        (
            {"workspace": {"git": {"url": "a", "depth": 1}}},
            {"workspace.git.url": "b", "budget.usd": 0.0},
            {"workspace": {"git": {"url": "b", "depth": 1}}, "budget": {"usd": 0.0}},
        ),
        ({"workspace": None}, {"workspace.path": "/x"}, {"workspace": {"path": "/x"}}),
        ({"labels": {"a": "1", "b": "2"}}, {"labels": {"b": "3"}}, {"labels": {"a": "1", "b": "3"}}),
    ],
)
def test_options_win_over_the_file(spec: dict[str, Any], given: dict[str, Any], whole: dict[str, Any]) -> None:
    before = json.dumps(spec)
    assert session_spec(spec, given) == whole
    assert json.dumps(spec) == before


def test_labels() -> None:
    assert read_labels(None) is None
    assert read_labels(["team=a", "x.dev/empty=", "a=b=c"]) == {"team": "a", "x.dev/empty": "", "a": "b=c"}
    for wrong in ("team", "=a", ""):
        with pytest.raises(InvalidRequest, match="NAME=VALUE"):
            read_labels([wrong])


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "spec.json"
    with pytest.raises(InvalidRequest, match=r"cannot be read: No such file"):
        read_spec(str(file))
    for text, told in (("{", "is no JSON"), ("[]", "is no JSON object")):
        file.write_text(text)
        with pytest.raises(InvalidRequest, match=told):
            read_spec(str(file))
    file.write_text('{"model": "opus"}')
    assert read_spec(str(file)) == {"model": "opus"}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"model": "haiku"}'))
    assert read_spec("-") == {"model": "haiku"}
