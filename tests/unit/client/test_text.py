from datetime import UTC, datetime, timedelta

import pytest

from jelmore.text import age, clean, excerpt, one_line, size


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb", "a\nb"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy"),
        ("a\x1bcb\x07\x9b2J\ud800\u202eb", "a\ufffdcb\ufffd\ufffd2J\ufffd\ufffdb"),
        ("überall → 日本", "überall → 日本"),
    ],
)
def test_nothing_steers_the_terminal(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "line"), [("a\n b ", "a b"), ("", ""), ("0123456789", "0123456789"), ("0123456789a", "012345678…")]
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text, 10) == line
    assert len(one_line(text * 1000, 10)) <= 10


def test_an_excerpt_says_how_much_is_missing() -> None:
    assert excerpt("a\nb\n", 2, 10) == ["a", "b"]
    assert excerpt("a\nb\nc", 2, 10) == ["a", "b", "… 1 more line"]
    assert excerpt("0123456789a\n" * 9, 1, 10) == ["012345678…", "… 8 more lines"]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (5 << 20, "5.0 MB"), (3 << 30, "3.0 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86_399, "23h"), (90_000_000, "1041d")]
)
def test_ages(seconds: int, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=seconds), now) == text
