"""Commands: what is taken, and what is refused with which words."""

import pytest

from jelmore_contract.commands import (
    AnswerCommand,
    Command,
    ConfigureCommand,
    InputCommand,
    InterruptCommand,
    decode_command,
    encode_command,
    input_id,
    query_input_id,
)
from jelmore_contract.states import Decision

SESSION = "550e8400-e29b-41d4-a716-446655440000"
INPUT = input_id(SESSION, "a key")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("input", InputCommand(INPUT, "hello")),
        ("input", InputCommand(INPUT, [{"type": "text", "text": "hello"}])),
        ("interrupt", InterruptCommand()),
        ("answer", AnswerCommand("a1", Decision.ALLOW, answers={"Which?": "Blue"})),
        ("configure", ConfigureCommand(model="haiku")),
    ],
)
def test_a_command_comes_back(kind: str, command: Command) -> None:
    envelope, taken = decode_command(kind, encode_command(command, "c1", SESSION, "t"))
    assert taken == command
    assert (envelope.id, envelope.kind, envelope.session_id) == ("c1", kind, SESSION)


def _body(payload: str, kind: str = "input") -> bytes:
    return f'{{"id":"c","kind":"{kind}","session_id":"{SESSION}","timestamp":"t","payload":{payload}}}'.encode()


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("input", b"no json", "malformed"),
        ("input", b"\xff", "malformed|utf-8"),
        ("input", b"{}", "missing required field"),
        ("interrupt", _body("{}", "input"), "came on the subject of"),
        ("teleport", _body("{}", "teleport"), "came on the subject of"),
        ("input", _body('{"input_id":"' + INPUT + '","content":"x","extra":1}'), "unknown field"),
        ("input", _body('{"input_id":"nope","content":"x"}'), "UUID"),
        ("input", _body('{"input_id":"' + INPUT.upper() + '","content":"x"}'), "canonical"),
        ("input", _body('{"input_id":"' + INPUT + '","content":"  "}'), "empty"),
        ("input", _body('{"input_id":"' + INPUT + '","content":[]}'), "empty"),
        ("input", _body('{"input_id":"' + INPUT + '","content":5}'), "Expected"),
        ("answer", _body('{"approval_id":"a","decision":"cancelled"}', "answer"), "allow or deny"),
        ("answer", _body('{"approval_id":"a","decision":"maybe"}', "answer"), "Invalid enum"),
    ],
)
def test_what_is_refused(kind: str, body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){words}"):
        decode_command(kind, body)


def test_an_idempotency_key_names_one_input_of_one_session() -> None:
    other = "550e8400-e29b-41d4-a716-446655440001"
    assert input_id(SESSION, "k") == input_id(SESSION, "k")
    assert len({input_id(SESSION, "k"), input_id(SESSION, "l"), input_id(other, "k"), query_input_id(SESSION)}) == 4
