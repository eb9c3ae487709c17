"""Framing: whatever the pieces in which the bytes come, the same frames come out, and never a torn one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore_agent.link.frames import MAX_BODY, Frame, FrameError, FrameReader, encode

# Any text that JSON can carry, lone surrogates included: the CLI prints them.
TEXTS = st.text(st.characters(codec=None), max_size=50)
FRAMES = st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans() | st.none(), max_size=4), max_size=6)


def read(reader: FrameReader, pieces: list[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in reader.feed(piece)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *sorted(places), len(data)])]


@given(FRAMES, st.data())
def test_any_cutting_of_the_bytes_gives_the_same_frames(frames: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert read(FrameReader(), cut(stream, places)) == frames


@given(FRAMES, st.data())
def test_what_a_dying_writer_left_unfinished_is_not_given(frames: list[Frame], data: st.DataObject) -> None:
    last = encode({"type": "write", "line": "x" * 20})
    torn = last[: data.draw(st.integers(0, len(last) - 1))]
    stream = b"".join(encode(frame) for frame in frames) + torn
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert read(FrameReader(), cut(stream, places)) == frames


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "text", "not UTF-8", "too deep"],
)
def test_a_body_that_is_no_json_object_is_an_error_after_the_frames_before_it(body: bytes) -> None:
    frames = FrameReader().feed(encode({"a": 1}) + len(body).to_bytes(4, "big") + body)
    assert next(frames) == {"a": 1}
    with pytest.raises(FrameError):
        next(frames)


def test_a_length_above_the_limit_is_refused_before_its_body_is_there() -> None:
    with pytest.raises(FrameError, match="above the limit"):
        list(FrameReader().feed((MAX_BODY + 1).to_bytes(4, "big")))
    with pytest.raises(FrameError, match="above the limit"):
        list(FrameReader(limit=8).feed(encode({"type": "hello"})))


def test_a_frame_too_long_to_be_read_is_not_made() -> None:
    with pytest.raises(FrameError, match="above the limit"):
        encode({"line": "x" * MAX_BODY})
