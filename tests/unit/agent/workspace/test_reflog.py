"""Reflogs as git 2.39 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore_agent.workspace import refs
from jelmore_agent.workspace.reflog import (
    RESUME_BYTES,
    Activity,
    Line,
    Mark,
    action,
    creation,
    head_activities,
    line_sum,
    parse,
    ref_activity,
    resume,
)

_ZERO = "0" * 40


def sha(digit: str) -> str:
    return digit * 40


def raw(old: str, new: str, message: str, seconds: int = 1_700_000_000) -> bytes:
    return f"{old} {new} Ada <ada@example.org> {seconds} +0100\t{message}\n".encode()


def log(*moves: tuple[str, str, str]) -> list[Line]:
    data = b"".join(raw(sha(old), sha(new), message) for old, new, message in moves)
    return parse(data, 0)[0]


def told(
    lines: list[Line], branch: str | None = "main", rebasing: bool = False
) -> list[tuple[str, str | None, str, str]]:
    activities, _ = head_activities(lines, "HEAD", branch, rebasing)
    return [(a.operation, a.branch, (a.old or "-")[0], (a.new or "-")[0]) for a in activities]


def test_a_line_is_parsed() -> None:
    data = raw(_ZERO, sha("1"), "commit (initial): begin")
    [line], mark = parse(data, 100)
    assert line == Line(
        None, sha("1"), 1_700_000_000, "commit (initial): begin", Mark(100 + len(data), line_sum(data[:-1]))
    )
    assert mark == line.end


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"nonsense\n",
        sha("1").encode() + b"\n",
        raw("x" * 40, sha("1"), "commit: x"),
        raw(sha("1"), sha("2"), "x")[:-1],
    ],
)
def test_what_is_no_line_is_passed_over(data: bytes) -> None:
    assert parse(data, 0)[0] == []


@given(st.binary(max_size=300))
def test_anything_can_be_parsed(data: bytes) -> None:
    lines, mark = parse(data, 7)
    assert mark is None or mark.offset == 8 + data.rfind(b"\n")
    head_activities(lines, "HEAD", "main", rebasing=True)


def test_credentials_in_a_message_are_left_out() -> None:
    [line], _ = parse(raw(_ZERO, sha("1"), "clone: from https://user:secret@example.org/x.git"), 0)
    assert line.message == "clone: from https://example.org/x.git"


def test_a_log_is_recognised_by_its_last_line() -> None:
    data = raw(_ZERO, sha("1"), "commit (initial): " + "x" * 400) + raw(sha("1"), sha("2"), "commit: y")
    lines, _ = parse(data, 0)
    for line in lines:
        tail = data[: line.end.offset][-RESUME_BYTES:]
        assert resume(tail, line.end)
        assert not resume(tail[:-1], line.end)
        assert not resume(tail[:-2] + b"z\n", line.end)
    assert resume(b"", Mark(0, 0))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("commit (amend): text: more", ("commit", "(amend)", "", "text: more")),
        ("rebase (start): checkout main", ("rebase", "(start)", "start", "checkout main")),
        ("pull --rebase origin main (finish): x", ("pull", "--rebase origin main (finish)", "finish", "x")),
        ("commit: a (finish): b", ("commit", "", "", "a (finish): b")),
        ("initial pull", ("pull", "", "", "initial pull")),
        ("", ("", "", "", "")),
    ],
)
def test_a_message_is_taken_apart(message: str, expected: tuple[str, str, str, str]) -> None:
    assert tuple(action(message)) == expected


@pytest.mark.parametrize(
    ("lines", "branch", "expected"),
    [
        (log(("0", "1", "commit (initial): a")), "main", [("commit", "main", "-", "1")]),
        (log(("1", "2", "commit (amend): a")), "main", [("commit", "main", "1", "2")]),
        (log(("1", "2", "commit (merge): a")), "main", [("merge", "main", "1", "2")]),
        (log(("1", "2", "commit (cherry-pick): a")), "main", [("cherry-pick", "main", "1", "2")]),
        (log(("1", "1", "checkout: moving from main to main")), "main", []),
        (
            log(("1", "2", "commit: a"), ("2", "3", "checkout: moving from x to main"), ("3", "4", "commit: b")),
            "main",
            [("commit", "x", "1", "2"), ("checkout", "main", "2", "3"), ("commit", "main", "3", "4")],
        ),
        (
            log(("1", "2", f"checkout: moving from {sha('1')} to x"), ("2", "1", "checkout: moving from x to HEAD~1")),
            None,
            [("checkout", "x", "1", "2"), ("checkout", None, "2", "1")],
        ),
        (log(("1", "2", "merge x: Fast-forward")), "main", [("merge", "main", "1", "2")]),
        (log(("1", "2", "pull --no-rebase: Fast-forward")), "main", [("pull", "main", "1", "2")]),
        (log(("1", "2", "reset: moving to HEAD~1")), "main", [("reset", "main", "1", "2")]),
        (log(("1", "2", 'revert: Revert "x"')), "main", [("revert", "main", "1", "2")]),
        (log(("1", "2", "am: patch")), "main", [("commit", "main", "1", "2")]),
        (log(("1", "2", "")), "main", [("update-ref", "main", "1", "2")]),
        (log(("1", "1", "")), "main", []),
        (
            log(
                ("1", "0", "Branch: renamed refs/heads/a to refs/heads/b"),
                ("0", "1", "Branch: renamed refs/heads/a to refs/heads/b"),
            ),
            "b",
            [],
        ),
        (
            log(("1", "2", "commit: a"), ("2", "2", "Branch: renamed refs/heads/a to refs/heads/b")),
            "b",
            [("commit", "a", "1", "2")],
        ),
        (
            log(
                ("1", "5", "rebase (start): checkout main"),
                ("5", "6", "rebase (pick): a"),
                ("6", "6", "rebase (finish): returning to refs/heads/topic"),
                ("6", "7", "commit: b"),
            ),
            "topic",
            [("rebase", "topic", "1", "6"), ("commit", "topic", "6", "7")],
        ),
        (
            log(
                ("1", "5", "rebase (start): checkout main"),
                ("5", "1", "rebase (abort): returning to refs/heads/x"),
            ),
            "x",
            [],
        ),
        (
            log(("1", "5", "rebase (start): checkout main"), ("5", "6", "rebase (pick): a"), ("6", "7", "commit: b")),
            None,
            [("rebase", None, "1", "6"), ("commit", None, "6", "7")],
        ),
        (
            log(
                ("1", "5", "pull --rebase (start): checkout x"),
                ("5", "5", "pull --rebase (finish): returning to refs/heads/m"),
            ),
            "m",
            [("pull", "m", "1", "5")],
        ),
    ],
)  # fmt: skip
def test_what_heads_log_tells(
    lines: list[Line], branch: str | None, expected: list[tuple[str, str | None, str, str]]
) -> None:
    assert told(lines, branch) == expected


def test_a_rebase_that_goes_on_is_looked_at_again() -> None:
    lines = log(("1", "2", "commit: a"), ("2", "5", "rebase (start): checkout main"), ("5", "6", "rebase (pick): b"))
    activities, done = head_activities(lines, "HEAD", "topic", rebasing=True)
    assert [a.operation for a in activities] == ["commit"]
    assert done == 1


@pytest.mark.parametrize(
    ("ref", "message", "expected"),
    [
        ("refs/remotes/origin/main", "update by push", ("push", "main")),
        ("refs/remotes/origin/a/b", "fetch --all: fast-forward", ("fetch", "a/b")),
        ("refs/remotes/origin/main", "pull: fast-forward", None),
        ("refs/remotes/origin/HEAD", "clone: from /x", None),
        ("refs/heads/x", "branch: Created from HEAD", ("branch", "x")),
        ("refs/heads/x", "branch: Reset to main", ("branch", "x")),
        ("refs/heads/x", "Branch: renamed refs/heads/y to refs/heads/x", ("branch", "x")),
        ("refs/heads/x", "Branch: renamed refs/heads/x to refs/heads/y", None),
        ("refs/heads/x", "commit: a", None),
        ("refs/heads/x", "push", ("push", "x")),
        ("refs/heads/x", "fetch origin a:x: storing head", ("fetch", "x")),
        ("refs/heads/x", "", ("update-ref", "x")),
        ("refs/tags/x", "tag: tagging", None),
    ],
)
def test_what_a_refs_log_tells(ref: str, message: str, expected: tuple[str, str] | None) -> None:
    [line] = log(("1", "2", message))
    activity: Activity | None = ref_activity(line, ref, checked_out=False)
    assert (activity and (activity.operation, activity.branch)) == expected


def test_a_checked_out_branchs_plumbing_is_told_by_head() -> None:
    [line] = log(("1", "2", ""))
    assert ref_activity(line, "refs/heads/x", checked_out=True) is None


def test_a_renamed_branchs_log_begins_with_its_name() -> None:
    lines = log(
        ("0", "1", "branch: Created from HEAD"),
        ("1", "2", "commit: a"),
        ("2", "2", "Branch: renamed refs/heads/a to refs/heads/b"),
        ("2", "3", "commit: b"),
    )
    assert creation(lines, "refs/heads/b") == 2
    assert creation(lines, "refs/heads/c") == 0


def test_small_files() -> None:
    assert refs.parse_head(b"ref: refs/heads/main\n") == refs.Head("refs/heads/main", None)
    assert refs.parse_head(sha("a").encode() + b"\n") == refs.Head(None, sha("a"))
    assert refs.parse_head(b"\xff") is None
    assert refs.parse_sha(b"ref: refs/heads/x") is None
    packed = f"# pack-refs with: peeled\n{sha('a')} refs/tags/v1\n^{sha('b')}\nno sha\n{sha('c')} HEAD\n".encode()
    assert refs.parse_packed(packed) == {"refs/tags/v1": sha("a")}
    fetched = f"{sha('a')}\tnot-for-merge\ttag 'v1' of /x\n{sha('b')}\t\tbranch 'main' of /x\n".encode()
    assert refs.parse_fetched_tags(fetched) == {"v1"}
    assert refs.parse_gitdir(b"gitdir: ../x\nmore") == b"../x"
    assert refs.parse_gitdir(b"other") is None
