"""Reads what is new in a reflog that may be any file."""

import os

from jelmore_agent.workspace.beneath import read_at
from jelmore_agent.workspace.reflog import RESUME_BYTES, Mark, parse, resume
from jelmore_agent.workspace.repository import SeenLog

#: Bytes of a log that are read in one look.
LOG_BYTES = 1024 * 1024


def is_at(fd: int, mark: Mark) -> bool:
    """Whether an open log is the one that `mark` was set in. Raises OSError."""
    start = max(0, mark.offset - RESUME_BYTES)
    return resume(read_at(fd, start, mark.offset - start), mark)


def new_lines(fd: int, mark: Mark | None) -> tuple[SeenLog, bool]:
    """What is behind a mark, and whether there is more to read at once. Raises OSError."""
    if mark is None:
        data, start = _tail(fd)
        lines, end = parse(data, start)
        return SeenLog(lines, end or Mark(0, 0), True), False
    if not is_at(fd, mark):
        return _rewritten(fd, mark), False
    data = read_at(fd, mark.offset, LOG_BYTES)
    more = len(data) == LOG_BYTES
    # A line longer than all that is read at once is nobody's honest message: its pieces are passed over.
    lines, end = parse(data + b"\n" if more and b"\n" not in data else data, mark.offset)
    return SeenLog(lines, end or mark, mark.offset == 0), more


def _tail(fd: int) -> tuple[bytes, int]:
    """The last whole lines of a log, as many as are looked at, and where they begin."""
    start = max(0, os.fstat(fd).st_size - LOG_BYTES)
    data = read_at(fd, start, LOG_BYTES)
    cut = data.find(b"\n") + 1 if start else 0
    return data[cut:], start + cut


def _rewritten(fd: int, mark: Mark) -> SeenLog:
    """A log that expired keeps its last lines: what follows the marked one is new. Where that is gone nothing is known
    to be new, unless the log was made anew with its branch.
    """
    lines, end = parse(*_tail(fd))
    at_end = end or Mark(0, 0)
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].end.sum == mark.sum:
            return SeenLog(lines[at + 1 :], at_end, False)
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].message.startswith(("branch: Created", "Branch: renamed ", "Branch: copied ")):
            return SeenLog(lines[at:], at_end, True)
    return SeenLog([], at_end, False)
