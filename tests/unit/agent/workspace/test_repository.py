"""A stash ends with a reset in HEAD's log, which is not told; somebody's own reset to HEAD is."""

import pytest

from jelmore_agent.workspace.reflog import Line, Mark
from jelmore_agent.workspace.repository import Seen, SeenHead, SeenLog, interpret
from jelmore_agent.workspace.state import State

SHA, STASH = "a" * 40, "b" * 40


def line(seconds: int, message: str, new: str = SHA) -> Line:
    return Line(new, new, seconds, message, Mark(seconds, 0))


@pytest.mark.parametrize(
    ("stashes", "resets", "known", "told"),
    [
        ([100], [100], False, ["stash"]),
        ([100], [107], False, ["stash"]),  # a machine that is busy
        ([100], [100, 100], False, ["stash", "reset"]),
        ([100], [103, 104], False, ["stash", "reset"]),
        ([100], [90, 101], False, ["reset", "stash"]),
        ([100], [300], False, ["stash", "reset"]),  # `git stash store` resets nothing
        ([100], [101], True, []),
        ([100], [110], True, ["reset"]),
        ([], [100], False, ["reset"]),
    ],
)
def test_stashes_and_resets(stashes: list[int], resets: list[int], known: bool, told: list[str]) -> None:
    state = State(known=True, heads={"HEAD": "main"}, refs={"refs/heads/main": SHA}, stash=(STASH,) if known else ())
    log = SeenLog([line(seconds, "reset: moving to HEAD") for seconds in resets], Mark(9, 9), fresh=False)
    seen = Seen(
        heads={"HEAD": SeenHead("main", SHA, False, log)},
        logs={},
        logged=frozenset({"refs/heads/main"}),
        refs={"refs/heads/main": SHA},
        packed=frozenset(),
        stash=tuple(line(seconds, "WIP on main", STASH) for seconds in stashes),
        fetched=frozenset(),
        fetching=False,
    )
    activities, _ = interpret(state, seen, since=0)
    assert [activity.operation for activity in activities] == told
