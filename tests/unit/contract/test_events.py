"""Envelopes are spliced from bytes: whatever the CLI prints comes back byte for byte, and the envelope is JSON
whatever it was.
"""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jelmore_contract.events import (
    Encoding,
    decode_event,
    encode_event,
    is_json,
    line_payload,
    payload_line,
    reader_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
LINES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


@given(LINES)
@example(b'{"a":"\\ud83d"}')
@example(b'{"a":"\\u0000"}')
@example(b'"\xed\xa0\xbd"')
@example(b"NaN")
@example(b" {} ")
@example(b'{"a":1}{"b":2}')
@example(b'{"payload":{"x":"}"}}')
def test_a_line_comes_back_byte_for_byte(line: bytes) -> None:
    payload, encoding = line_payload(line)
    event = encode_event(
        "s/1/jsonl/10/0/session.output", "session.output", "s", "2025-08-06T12:00:00.000Z", payload, encoding
    )
    taken = decode_event(event)
    assert payload_line(taken.payload, taken.encoding) == line
    read = json.loads(reader_text(7, *taken[:5], taken.payload.decode()))
    assert (read["seq"], read["event_type"], read["session_id"]) == (7, "session.output", "s")
    assert list(read) == [
        "seq",
        "id",
        "event_type",
        "session_id",
        "timestamp",
        *(["encoding"] if encoding else []),
        "payload",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{}", True),
        (b'"\\ud83d"', True),
        (b"1e400", True),
        (b"", False),
        (b"NaN", False),
        (b"[Infinity]", False),
        (b"{'a':1}", False),
        (b'"\xff"', False),
        (b'"\xed\xa0\xbd"', False),
        (b'"a\nb"', False),
        (b"[" * 100_000, False),
    ],
)
def test_what_counts_as_json(line: bytes, expected: bool) -> None:
    assert is_json(line) is expected


def test_another_writer_s_event_is_taken_apart_too() -> None:
    event = b'{"payload": {"a": 1}, "timestamp": "t", "session_id": "s", "event_type": "x.y", "id": "i"}'
    assert decode_event(event) == ("i", "x.y", "s", "t", None, b'{"a": 1}')
    assert decode_event(event.replace(b'"id": "i"', b'"id": "i", "encoding": "blob"')).encoding == Encoding.BLOB


@pytest.mark.parametrize(
    "event", [b"", b"[]", b"{}", b"\xff", b'{"id":1,"event_type":"x","session_id":"s","timestamp":"t","payload":{}}']
)
def test_what_is_no_event_says_so(event: bytes) -> None:
    with pytest.raises(ValueError, match="not an event"):
        decode_event(event)
