"""What was told of a repository, and how facts carry it from one agent to the next; pure."""

from dataclasses import dataclass, field, replace
from typing import Any

from jelmore_agent.workspace.reflog import Activity, Mark, renamed_from


@dataclass(frozen=True)
class State:
    """What was told of a repository. `heads`: the branch of each HEAD by its log's name ("HEAD", "worktrees/x/HEAD"),
    None while detached. `marks`: how far each log was read. `stash`: its entries, the oldest first.
    """

    known: bool = False
    heads: dict[str, str | None] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    stash: tuple[str, ...] = ()


def delta(activity: Activity, state: State) -> dict[str, Any]:
    """What a new agent needs to know so that it does not tell an activity again: part of a state, as JSON."""
    found: dict[str, Any] = {}
    marks: dict[str, list[int]] = {}
    refs: dict[str, str | None] = {}
    for part in (activity, *activity.also):
        if part.log and part.mark:
            marks[part.log] = list(part.mark)
        if part.ref:
            refs[part.ref] = part.new
        if part.operation == "branch" and (former := renamed_from(part.message)):
            refs[f"refs/heads/{former}"] = None
    if marks:
        found["marks"] = marks
    if refs:
        found["refs"] = refs
    if activity.log in state.heads:
        found["heads"] = {activity.log: state.heads[activity.log]}
    if activity.operation == "stash":
        found["stash"] = list(state.stash)
    return found


def whole(state: State) -> dict[str, Any]:
    """A state as JSON; `merged` takes it back."""
    return {
        "heads": state.heads,
        "marks": {name: list(mark) for name, mark in state.marks.items()},
        "refs": state.refs,
        "stash": list(state.stash),
    }


def merged(state: State, found: dict[str, Any]) -> State:
    """A state with what a fact says laid over it."""
    refs = state.refs | found.get("refs", {})
    left = {name: mark for name, mark in state.marks.items() if refs.get(name, "") is not None}
    return replace(
        state,
        known=True,
        heads=state.heads | found.get("heads", {}),
        marks=left | {name: Mark(*mark) for name, mark in found.get("marks", {}).items()},
        refs={ref: sha for ref, sha in refs.items() if sha is not None},
        stash=tuple(found.get("stash", state.stash)),
    )
