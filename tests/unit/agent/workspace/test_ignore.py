"""Rules of ignore files; git itself is asked in the integration tests."""

import time

import pytest

from jelmore_agent.workspace import ignore


def ignored(text: str, path: str) -> bool | None:
    components = path.rstrip("/").encode().split(b"/")
    return ignore.decide(ignore.parse(text.encode()), components, path.endswith("/"))


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("*.log", "a.log", True),
        ("*.log", "deep/er/a.log", True),
        ("*.log", "a.log.txt", None),
        ("/a", "a", True),
        ("/a", "b/a", None),
        ("b/a", "b/a", True),
        ("b/a", "c/b/a", None),
        ("build/", "build/", True),
        ("build/", "build", None),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("a/**", "a", None),
        ("a/**", "a/b/c", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", None),
        ("*\n!keep", "keep", False),
        ("!keep\n*", "keep", True),
        ("# no", "# no", None),
        ("\\# yes", "# yes", True),
        ("\\!yes", "!yes", True),
        ("space ", "space", True),
        ("space\\ ", "space ", True),
        ("a?c", "abc", True),
        ("é?", "éa", True),
        ("?", "é", None),  # two bytes, as to git
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", None),
        ("[[:digit:]]", "7", True),
        ("[]]", "]", True),
        ("[a", "[a", None),
        ("a\\", "a", None),
        ("x\r\ny", "x", True),
        ("\ufeffx", "x", True),
        ("", "x", None),
        ("/", "x", None),
    ],
)
def test_a_rule_and_a_path(text: str, path: str, expected: bool | None) -> None:
    assert ignored(text, path) is expected


@pytest.mark.parametrize(
    "pattern", ["*a" * 60 + "b", "**/" * 60 + "b", "a/**/" * 40 + "b", "[a]*" * 60 + "b", "?*" * 100 + "b"]
)
def test_a_pattern_made_to_take_for_ever_does_not(pattern: str) -> None:
    began = time.process_time()
    assert not ignored(pattern, "a" * 250)
    assert not ignored(pattern, "/".join("a" * 100))
    assert time.process_time() - began < 0.5


def test_only_so_many_rules_are_taken() -> None:
    assert len(ignore.parse(b"x\n" * 10_000)) == ignore.RULES_LIMIT
