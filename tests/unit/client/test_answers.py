from typing import Any

import pytest

from jelmore.command.answers import read_answers
from jelmore.problems import InvalidRequest

COLOUR: dict[str, Any] = {
    "question": "Which colour?",
    "header": "Colour",
    "options": [{"label": "Blue"}, {"label": "Green"}],
}
SIZES: dict[str, Any] = {
    "question": "Which sizes (a=b)?",
    "header": "Size",
    "options": [{"label": "S"}, {"label": "L"}],
    "multiSelect": True,
}
BOTH = {"questions": [COLOUR, SIZES]}


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        (["Which colour?=Blue", "Which sizes (a=b)?=L"], {"Which colour?": "Blue", "Which sizes (a=b)?": "L"}),
        (["colour=Blue", "2=S", "size=L"], {"Which colour?": "Blue", "Which sizes (a=b)?": "S, L"}),
        (["1=a = b", "2=  none "], {"Which colour?": "a = b", "Which sizes (a=b)?": "none"}),
    ],
)
def test_answers_to_several_questions(given: list[str], answers: dict[str, str]) -> None:
    assert read_answers(BOTH, given) == answers


@pytest.mark.parametrize("given", ["Blue", "Colour=Blue", "1=Blue", "which COLOUR?=Blue"])
def test_a_single_question_needs_no_name(given: str) -> None:
    assert read_answers({"questions": [COLOUR]}, [given]) == {"Which colour?": "Blue"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], r'(?s)--answer "Which colour\?=…"  \(Blue \| Green\).*--answer "Which sizes'),
        (["1=Blue"], r'^(?!.*colour).*\n  --answer "Which sizes'),
        (["1=Blue", "1=Green", "2=S"], "takes one answer"),
        (["3=Blue"], "no question"),
        (["1= "], "is empty"),
    ],
)
def test_what_does_not_fit_is_told_with_the_questions(given: list[str], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read_answers(BOTH, given)


def test_questions_that_nobody_can_make_sense_of() -> None:
    assert read_answers({"questions": "?"}, []) == {}
    with pytest.raises(InvalidRequest):
        read_answers({}, ["a=b"])
