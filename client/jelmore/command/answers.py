"""The answers to Claude's questions, from what was typed. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from jelmore.problems import InvalidRequest

#: How Claude Code takes several options of one question.
_JOIN = ", "


def read_answers(tool_input: Mapping[str, Any], given: Sequence[str]) -> dict[str, str]:
    """Question text -> answer, as the API takes it.

    `tool_input`: of AskUserQuestion. `given`: each "Question=Answer", where the question is its text, its header, or
    its number from 1; for a single question, the answer alone will do. Twice the same question: both answers (where
    it lets choose several). Raises InvalidRequest, with the questions and their options, for what does not fit.
    """
    questions = [one for one in _dicts(tool_input.get("questions")) if isinstance(one.get("question"), str)]
    answers: dict[str, list[str]] = {}
    for text in given:
        question, answer = _split(text, questions)
        answers.setdefault(question["question"], []).append(answer)
        if len(answers[question["question"]]) > 1 and not question.get("multiSelect"):
            raise InvalidRequest(f'"{question["question"]}" takes one answer; its options: {_options(question)}')
    missing = [one for one in questions if one["question"] not in answers]
    if missing:
        raise InvalidRequest(f"Claude asks; answer with{_usage(missing)}")
    return {question: _JOIN.join(chosen) for question, chosen in answers.items()}


def _split(text: str, questions: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], str]:
    for number, question in enumerate(questions, 1):
        for name in (question["question"], question.get("header"), str(number)):
            if isinstance(name, str) and text.lower().startswith(f"{name.lower()}="):
                return question, _filled(text[len(name) + 1 :], question)
    if len(questions) == 1:
        return questions[0], _filled(text, questions[0])
    raise InvalidRequest(f'no question of Claude\'s is meant by "{text}"; answer with{_usage(questions)}')


def _filled(answer: str, question: Mapping[str, Any]) -> str:
    if not answer.strip():
        raise InvalidRequest(f'the answer to "{question["question"]}" is empty; its options: {_options(question)}')
    return answer.strip()


def _usage(questions: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f'\n  --answer "{one["question"]}=…"  ({_options(one)})' for one in questions)


def _options(question: Mapping[str, Any]) -> str:
    labels = [str(one.get("label", "")) for one in _dicts(question.get("options"))]
    return " | ".join(label for label in labels if label) or "any text"


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
