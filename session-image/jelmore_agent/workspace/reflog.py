"""Reflogs and what their lines tell; pure.

A line is `<old> <new> <who> <seconds> <zone>\\t<message>`; the message begins with what was done: `commit (amend): …`,
`checkout: moving from a to b`, `pull --rebase (finish): …`. git writes the same line into HEAD's log and into the
branch's.
"""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

_LINE = re.compile(rb"([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [^\n]*?> (\d{1,15}) [-+]\d{4}(?:\t([^\n]*))?", re.S)
_ACTION = re.compile(r"([A-Za-z-]+)(?: ([^:]*))?: ?(.*)", re.S)
_STEP = re.compile(r"\(([a-z]+)\): ")
_MOVING = re.compile(r"moving from (\S+) to (\S+)")
_RENAMED = re.compile(r"Branch: renamed refs/heads/(\S+) to refs/heads/(\S+)")
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s@]*@")

#: Characters of a message that are kept.
MESSAGE_LIMIT = 1_000
_TAIL = 256  # bytes of a line by which it is recognised

#: git's words to ours; what HEAD's log tells with other words is `update-ref`.
_OPERATIONS = {
    "commit": "commit",
    "am": "commit",
    "checkout": "checkout",
    "merge": "merge",
    "reset": "reset",
    "rebase": "rebase",
    "pull": "pull",
    "push": "push",
    "fetch": "fetch",
    "clone": "clone",
    "cherry-pick": "cherry-pick",
    "revert": "revert",
}
# Messages without a colon.
_WHOLE = {"initial pull": "pull", "push": "push", "update by push": "push"}
_SUBJECT_ALONE = ("commit", "cherry-pick", "revert")


class Mark(NamedTuple):
    """How far a log was read: the offset behind a line, and that line's sum, since logs are rewritten when they
    expire.
    """

    offset: int
    sum: int


class Line(NamedTuple):
    old: str | None  # None where there was nothing (git's zeros)
    new: str | None
    seconds: int
    message: str
    end: Mark


class Action(NamedTuple):
    """A message taken apart: `verb qualifier: text`; `step` is a rebase's (start, pick, finish, …), also a pull's."""

    verb: str
    qualifier: str
    step: str
    text: str


class Activity(NamedTuple):
    """Something that was done. `log`, `mark`: where the line that tells it ends. `ref`: the ref that it left at `new`.
    `also`: the parts of one that was told of several refs at once.
    """

    operation: str
    branch: str | None
    old: str | None
    new: str | None
    message: str
    seconds: float
    log: str | None = None
    mark: Mark | None = None
    ref: str | None = None
    also: tuple["Activity", ...] = ()


def parse(data: bytes, offset: int) -> tuple[list[Line], Mark | None]:
    """The whole lines of a log's bytes from `offset` on, and where they end; None when there is not one. What is no
    line of a reflog is passed over.
    """
    lines: list[Line] = []
    mark: Mark | None = None
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        raw = data[start:end]
        start = end + 1
        mark = Mark(offset + start, line_sum(raw))
        match = _LINE.fullmatch(raw)
        if match is not None:
            old, new, seconds, message = match.groups(b"")
            text = message.decode("utf-8", "replace")[:MESSAGE_LIMIT]
            lines.append(Line(_sha(old), _sha(new), int(seconds), _CREDENTIALS.sub(r"\1", text), mark))
    return lines, mark


def line_sum(raw: bytes) -> int:
    """Of a line without its newline."""
    return zlib.crc32(raw[-_TAIL:])


def resume(tail: bytes, mark: Mark) -> bool:
    """Whether a log is the one that `mark` was set in, by (up to 257) bytes before the mark's offset."""
    if mark.offset == 0:
        return True
    last = tail[:-1].rpartition(b"\n")[2]
    return tail.endswith(b"\n") and line_sum(last) == mark.sum


#: Bytes before a mark's offset that `resume` needs.
RESUME_BYTES = _TAIL + 1


def action(message: str) -> Action:
    match = _ACTION.fullmatch(message)
    if match is None:
        return Action(_WHOLE.get(message, ""), "", "", message)
    verb, qualifier, text = match.group(1), match.group(2) or "", match.group(3)
    step = ""
    if verb in ("rebase", "pull") and (found := _STEP.search(message)):
        step = found.group(1)
    elif (verb, qualifier) == ("rebase", "finished"):
        step = "finish"
    return Action(verb, qualifier, step, text)


def head_activities(lines: Sequence[Line], log: str, branch: str | None, rebasing: bool) -> tuple[list[Activity], int]:
    """What HEAD's log tells, and how many of its lines are done with. `branch`: where HEAD is now (None: detached). A
    rebase is told once, when it has ended: its lines have to be looked at again while it is going on (`rebasing`).
    """
    branches = _branches(lines, branch)
    told: list[Activity] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        act = action(line.message)
        if act.step == "start":
            last = _rebase_end(lines, at)
            if last is None:
                if rebasing:
                    return told, at
                last = _last_step(lines, at)
            if action(lines[last].message).step != "abort":
                told.append(_head_activity(line.old, lines[last], act, log, branches[last]))
            at = last
        elif _tells(line, act):
            told.append(_head_activity(line.old, line, act, log, branches[at]))
        at += 1
    return told, len(lines)


def _tells(line: Line, act: Action) -> bool:
    if act.step not in ("", "finish") or act.verb in ("branch", "Branch"):
        return False
    if act.verb == "checkout":
        moving = _MOVING.match(act.text)
        return moving is None or moving.group(1) != moving.group(2)
    return act.verb in _OPERATIONS or line.old != line.new


def _head_activity(old: str | None, line: Line, act: Action, log: str, branch: str | None) -> Activity:
    operation = _OPERATIONS.get(act.verb, "update-ref")
    if act.verb == "commit" and act.qualifier in ("(merge)", "(cherry-pick)", "(revert)"):
        operation = act.qualifier[1:-1]  # the commit that ends one which had stopped for a conflict
    message = act.text if act.verb in _SUBJECT_ALONE else line.message
    ref = f"refs/heads/{branch}" if branch is not None else None
    return Activity(operation, branch, old, line.new, message, line.seconds, log, line.end, ref)


def _rebase_end(lines: Sequence[Line], start: int) -> int | None:
    for at in range(start + 1, len(lines)):
        step = action(lines[at].message).step
        if step in ("finish", "abort"):
            return at
        if step == "start":
            return None
    return None


def _last_step(lines: Sequence[Line], start: int) -> int:
    """A rebase of a detached HEAD has no line that ends it."""
    last = start
    for at in range(start + 1, len(lines)):
        if action(lines[at].message).step in ("", "start"):
            break
        last = at
    return last


def _branches(lines: Sequence[Line], branch: str | None) -> list[str | None]:
    """Where HEAD was after each line, told backwards from where it is now."""
    after: list[str | None] = []
    rebased: str | None = None
    for line in reversed(lines):
        after.append(branch)
        act = action(line.message)
        if act.verb == "checkout" and (moving := _MOVING.match(act.text)):
            left = moving.group(1)
            branch = None if re.fullmatch("[0-9a-f]{40,64}", left) else left
        elif act.step in ("finish", "abort"):
            rebased, branch = branch, None
        elif act.step == "start":
            branch = rebased
        elif (renamed := _RENAMED.match(line.message)) and renamed.group(2) == branch:
            branch = renamed.group(1)
    after.reverse()
    return after


def ref_activity(line: Line, log: str, checked_out: bool) -> Activity | None:
    """What a line of a branch's or remote branch's log tells that no other log does. `checked_out`: HEAD's log has it,
    too.
    """
    act = action(line.message)
    kind, _, name = log.removeprefix("refs/").partition("/")
    branch = name.partition("/")[2] if kind == "remotes" else name
    operation = _ref_operation(line, act, log, checked_out)
    if operation is None or (line.old == line.new and operation != "branch"):
        return None
    return Activity(operation, branch, line.old, line.new, line.message, line.seconds, log, line.end, log)


def _ref_operation(line: Line, act: Action, ref: str, checked_out: bool) -> str | None:
    kind = ref.split("/")[1]
    if kind == "remotes":
        # A pull's own event is HEAD's; a clone's as well.
        return act.verb if act.verb in ("fetch", "push") else None
    if kind != "heads":
        return None
    if act.verb == "Branch":  # a renamed branch brings along its log, with renames that it had before
        return "branch" if line.message.endswith(f" to {ref}") else None
    if act.verb == "branch":
        return "branch"
    if act.verb in ("fetch", "push"):
        return act.verb
    if act.verb in _OPERATIONS or checked_out:
        return None
    return "branch" if line.old is None else "update-ref"


def creation(lines: Sequence[Line], ref: str) -> int:
    """Where the log of a branch that was not known begins to be its own: a rename or a copy brings along what was
    before.
    """
    for at in range(len(lines) - 1, -1, -1):
        message = lines[at].message
        if message.startswith("branch: Created") or (
            message.startswith(("Branch: renamed ", "Branch: copied ")) and message.endswith(f" to {ref}")
        ):
            return at
    return 0


def renamed_from(message: str) -> str | None:
    """The branch that a line says was renamed."""
    match = _RENAMED.match(message)
    return match.group(1) if match else None


def _sha(raw: bytes) -> str | None:
    return raw.decode("ascii") if raw.strip(b"0") else None
