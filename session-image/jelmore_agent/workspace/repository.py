"""What happened in a repository, told by what is seen of it now and what was known before; pure.

HEAD's logs tell most. The logs of branches and remote branches tell what does not go through HEAD (push, fetch,
branches), the log of the stash is compared as a list, and what has no log (tags; any ref where core.logAllRefUpdates is
off) by its value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jelmore_agent.workspace.reflog import (
    Activity,
    Line,
    Mark,
    creation,
    head_activities,
    ref_activity,
    renamed_from,
)
from jelmore_agent.workspace.state import State

# Of what bears the same second: what comes first, HEAD's own being 2. A fetch goes before what it is merged by.
_ORDER = {"clone": 0, "fetch": 1}
_AFTER_HEAD = 3
_STASH_RESET = "reset: moving to HEAD"
# Seconds from a stash's own line to its reset, on a machine that is busy; and where the stash was told of before, when
# a reset of somebody's own is as likely.
_SLOW_STASH, _STASH = 60, 2
_LAST = float("inf")  # what is known by a ref's value alone has no time


@dataclass(frozen=True)
class SeenLog:
    """The lines of a log behind its mark, and its end. `fresh`: the log was not known, or was made anew."""

    lines: list[Line]
    mark: Mark
    fresh: bool


@dataclass(frozen=True)
class SeenHead:
    """`sha`: None while there is no commit. `rebasing`: a rebase is going on; `branch` is then the one that is
    rebased.
    """

    branch: str | None
    sha: str | None
    rebasing: bool
    log: SeenLog | None


@dataclass(frozen=True)
class Seen:
    """`logs`: those of refs that have something new. `logged`: all refs that have a log. `packed`: refs in packed-refs.
    `fetched`: tags that the last fetch brought; `fetching`: there was a fetch since the last look.
    """

    heads: dict[str, SeenHead]
    logs: dict[str, SeenLog]
    logged: frozenset[str]
    refs: dict[str, str]
    packed: frozenset[str]
    stash: tuple[Line, ...]
    fetched: frozenset[str]
    fetching: bool


def interpret(state: State, seen: Seen, since: float) -> tuple[list[Activity], State]:
    """What was done since `state`, in order, and the state to go on from. A repository that was not known counts from
    `since` (Unix time): one that was moved in has a long past.
    """
    if not state.known:
        first = next((head.log.lines[0] for head in seen.heads.values() if head.log and head.log.lines), None)
        if first is None and not any(head.sha for head in seen.heads.values()):
            return [], state  # being made
        state = _first_state(seen, first, since)
    told, heads, marks = _from_heads(state, seen)
    from_refs = _from_logs(seen)
    earlier = [line.seconds for line in seen.stash if line.new in state.stash]
    told, stashed = _with_stashes(told, _stashed(state, seen), earlier)
    explained = {activity.ref for activity in told if activity.ref}
    told += [*from_refs, *stashed, *_from_values(state, seen, explained)]
    told = [activity for activity in told if state.known or activity.seconds >= since]
    # A branch that came and went since the last look is in no state.
    told = [a if a.ref in state.refs or a.ref in seen.refs else a._replace(ref=None) for a in told]
    told = _sorted(told)
    marks |= {name: log.mark for name, log in seen.logs.items()}
    kept = {name: mark for name, mark in state.marks.items() if name in seen.logged or name in seen.heads}
    now = State(True, heads, kept | marks, seen.refs, tuple(line.new or "" for line in seen.stash))
    return list(_grouped(told)), now


def _sorted(told: list[Activity]) -> list[Activity]:
    """In the order of time as far as it is known: whole seconds. A branch that is made to be checked out comes
    before.
    """
    checkouts = {(a.seconds, a.branch): at for at, a in enumerate(told) if a.operation == "checkout"}

    def key(numbered: tuple[int, Activity]) -> tuple[float, int, float]:
        at, activity = numbered
        checkout = checkouts.get((activity.seconds, activity.branch)) if activity.operation == "branch" else None
        if checkout is not None:
            return activity.seconds, 2, checkout - 0.5
        of_head = activity.log is not None and activity.log.endswith("HEAD")
        return activity.seconds, _ORDER.get(activity.operation, 2 if of_head else _AFTER_HEAD), at

    return [activity for _, activity in sorted(enumerate(told), key=key)]


def _first_state(seen: Seen, first: Line | None, since: float) -> State:
    """What is taken as given in a repository that was not known: in a clone what came with it, in one that was moved
    in, or that keeps no logs, everything; in a new one nothing.
    """
    if first is None or first.seconds < since:
        return State(refs=dict(seen.refs), stash=tuple(line.new or "" for line in seen.stash))
    if first.message.startswith("clone:"):
        given = {ref for ref in seen.refs if ref in seen.packed or ref.startswith("refs/remotes/")}
        return State(refs={ref: seen.refs[ref] for ref in given})
    return State()


def _from_heads(state: State, seen: Seen) -> tuple[list[Activity], dict[str, str | None], dict[str, Mark]]:
    told: list[Activity] = []
    heads: dict[str, str | None] = {}
    marks: dict[str, Mark] = {}
    for name, head in seen.heads.items():
        lines = _own_lines(name, head.log)
        heads[name] = head.branch
        if head.log is not None:
            activities, done = head_activities(lines, name, head.branch, head.rebasing)
            told += _in_order(activities)
            if done == len(lines):
                marks[name] = head.log.mark
            elif done:
                marks[name] = lines[done - 1].end
            elif head.log.fresh:
                marks[name] = Mark(0, 0)
        if not lines and name in state.heads and not head.rebasing and state.heads[name] != head.branch:
            told += _moved_head(state, name, head)
    return told, heads, marks


def _in_order(activities: list[Activity]) -> Iterable[Activity]:
    """With times that never go back, as they do where GIT_COMMITTER_DATE is set."""
    seconds = 0.0
    for activity in activities:
        seconds = max(seconds, activity.seconds)
        yield activity._replace(seconds=seconds)


def _own_lines(name: str, log: SeenLog | None) -> list[Line]:
    """A new worktree's log begins with two lines about its making."""
    if log is None:
        return []
    if not log.fresh or name == "HEAD":
        return log.lines
    made = [n for n, line in enumerate(log.lines[:2]) if line.message in ("", "reset: moving to HEAD")]
    return [line for n, line in enumerate(log.lines) if n not in made]


def _moved_head(state: State, name: str, head: SeenHead) -> list[Activity]:
    """A HEAD that moved without a line in its log: to a branch without a commit, or there are no logs."""
    left = state.heads[name]
    old = state.refs.get(f"refs/heads/{left}") if left is not None else None
    if old is None and head.sha is None:
        return []
    message = f"checkout: moving from {left or 'a detached HEAD'} to {head.branch or head.sha}"
    return [Activity("checkout", head.branch, old, head.sha, message, _LAST, name)]


def _from_logs(seen: Seen) -> list[Activity]:
    checked_out = {f"refs/heads/{head.branch}" for head in seen.heads.values()}
    told: list[Activity] = []
    for name, log in seen.logs.items():
        lines = log.lines[creation(log.lines, name) :] if log.fresh and name.startswith("refs/heads/") else log.lines
        told += [found for line in lines if (found := ref_activity(line, name, name in checked_out))]
    return told


def _stashed(state: State, seen: Seen) -> list[Activity]:
    before = set(state.stash)
    now = {line.new for line in seen.stash}
    told = [
        Activity("stash", None, None, line.new, line.message, line.seconds, "refs/stash", line.end)
        for line in seen.stash
        if line.new not in before
    ]
    told += [
        Activity("stash", None, sha, None, "dropped", _LAST, "refs/stash") for sha in state.stash if sha not in now
    ]
    return told


def _with_stashes(
    told: list[Activity], stashed: list[Activity], earlier: list[int]
) -> tuple[list[Activity], list[Activity]]:
    """Putting away ends with a reset in HEAD's log: there it takes the place of that reset. Returns what it has, and
    what is left of the stash's own. earlier: the times of stashes that were told before, perhaps without their resets.
    """
    own: list[Activity] = []
    left = list(stashed)
    for activity in told:
        if activity.message != _STASH_RESET or activity.old != activity.new:
            own.append(activity)
            continue
        put = next((stash for stash in left if stash.new and _before(stash.seconds, activity, _SLOW_STASH)), None)
        if put is not None:
            left.remove(put)
            own.append(put._replace(seconds=activity.seconds, log=activity.log, mark=activity.mark))
        elif not any(_before(seconds, activity, _STASH) for seconds in earlier):
            own.append(activity)
    return own, left


def _before(seconds: float, activity: Activity, limit: float) -> bool:
    return 0 <= activity.seconds - seconds <= limit


def _from_values(state: State, seen: Seen, explained: set[str]) -> list[Activity]:
    renamed = {renamed_from(line.message) for log in seen.logs.values() for line in log.lines}
    told: list[Activity] = []
    for ref in sorted(state.refs.keys() | seen.refs.keys()):
        old, new = state.refs.get(ref), seen.refs.get(ref)
        kind, _, name = ref.removeprefix("refs/").partition("/")
        if old == new or (new is not None and (ref in seen.logged or ref in explained)):
            continue
        if kind == "heads" and name not in renamed:
            operation = "branch" if old is None or new is None else "update-ref"
            told.append(_by_value(operation, name, old, new, ref))
        elif kind == "tags":
            fetched = new is not None and name in seen.fetched
            told.append(_by_value("fetch" if fetched else "tag", None, old, new, ref))
        elif kind == "remotes":
            branch = name.partition("/")[2]
            told.append(_by_value("fetch" if seen.fetching else "push", branch, old, new, ref))
    return told


def _by_value(operation: str, branch: str | None, old: str | None, new: str | None, ref: str) -> Activity:
    name = ref.removeprefix("refs/").partition("/")[2]
    word = "deleted" if new is None else "created" if old is None else "moved"
    message = name if operation == "tag" and new is not None else f"{word} {name}"
    return Activity(operation, branch, old, new, message, _LAST, ref=ref)


def _grouped(told: Iterable[Activity]) -> Iterable[Activity]:
    """One fetch or push may move many refs: that is one activity. Fetched tags belong to the fetch before them."""
    group: list[Activity] = []
    for activity in told:
        if group and _together(group[0], activity):
            group.append(activity)
            continue
        if group:
            yield _one(group)
        group = [activity]
    if group:
        yield _one(group)


def _together(first: Activity, next_one: Activity) -> bool:
    if first.operation not in ("fetch", "push") or first.operation != next_one.operation:
        return False
    same_ref = first.ref == next_one.ref
    return not same_ref and (first.seconds == next_one.seconds or next_one.seconds == _LAST)


def _one(group: list[Activity]) -> Activity:
    first = group[0]
    if len(group) == 1:
        return first
    branches = [activity for activity in group if activity.branch is not None]
    if len(branches) <= 1:
        return (branches or group)[0]._replace(also=tuple(a for a in group if a is not (branches or group)[0]))
    refs = ", ".join((activity.ref or "").removeprefix("refs/remotes/") for activity in branches)
    message = f"{first.message.partition(': ')[0]}: {refs}"
    return first._replace(branch=None, old=None, new=None, message=message, also=tuple(group))
