"""When a child that ended is started again: pure. Seconds. Standard library only."""

#: A child that lived so long did not die of how it was started.
SETTLED = 10.0
#: The first pause of one that dies at once, which doubles up to the last.
FIRST, MOST = 0.1, 5.0
#: An agent that ended by itself has told the launcher so, and the pod is about to end. Should the launcher not have
#: heard of it, another agent tells it again.
FINISHED = 5.0


def pause(code: int, lived: float, before: float) -> float:
    """How long to wait after an exit with `code` (negative: by that signal), `lived` after a start for which was waited
    `before`.
    """
    if code == 0:
        return FINISHED
    if lived >= SETTLED:
        return 0.0
    return min(max(FIRST, 2 * before), MOST)
