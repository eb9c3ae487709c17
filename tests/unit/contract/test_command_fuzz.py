"""Commands as the AsyncAPI document says are taken, all others are refused: document and code agree on every one."""

import json

from hypothesis import example, given, settings

from jelmore_contract.commands import MAX_DEPTH, decode_command
from tests.support.asyncapi import Judge
from tests.support.fuzzing import any_valid_command, changed_command

SESSION = "550e8400-e29b-41d4-a716-446655440000"
JUDGE = Judge()
DEEP = b"[" * 100_000 + b"]" * 100_000
HEAD = b'{"id":"","kind":"input","session_id":"","timestamp":"","payload":'


def taken(kind: str, body: bytes) -> bool:
    try:
        decode_command(kind, body)
    except ValueError:
        return False
    return True


def judged_good(kind: str, body: bytes) -> bool:
    """By the document; beside it stands what a schema cannot say: real Unicode, and not too deep."""
    try:
        value = json.loads(body.decode(), parse_constant=lambda _: 1 / 0)
        json.dumps(value, ensure_ascii=False).encode()
        # Whose session it is for is not the envelope's to say, but the subject's: its reader compares.
        value = value | {"session_id": SESSION} if isinstance(value.get("session_id"), str) else value
        payload = value.get("payload")
        return depth(payload) <= MAX_DEPTH and JUDGE.fault_of(f"Command{kind.capitalize()}", value) is None
    except (ValueError, RecursionError, ZeroDivisionError, AttributeError):
        return False


def depth(value: object) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, below)) if below else 0


@given(any_valid_command(SESSION))
@settings(max_examples=50)
def test_what_the_document_says_is_taken(command: tuple[str, bytes]) -> None:
    assert taken(*command)


@given(changed_command(SESSION))
@settings(max_examples=150)
@example(("input", HEAD + DEEP + b"}"))
@example(("input", DEEP))
@example(("input", HEAD + b'{"input_id":"%s\\n","content":"x"}}' % SESSION.encode()))
@example(("input", HEAD + b'{"input_id":"%s","content":"\\u2003\\u001f"}}' % SESSION.encode()))
@example(("interrupt", HEAD.replace(b"input", b"interrupt") + b"{}}"))
def test_what_is_taken_is_what_the_document_says(command: tuple[str, bytes]) -> None:
    assert taken(*command) == judged_good(*command)
