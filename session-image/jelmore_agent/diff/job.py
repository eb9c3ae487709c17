"""What the agent asks of the process that compares, and what that answers: JSON on stdin and stdout."""

import msgspec

#: Seconds for one comparison. What was not read by then is left out.
LIMIT = 20.0


class Job(msgspec.Struct):
    """folder: the agent's own. patch: name of the file in it to write the patch into; None: store the session's start,
    if it is not stored yet.
    """

    workspace: str
    folder: str
    patch: str | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """digest: of the patch. problem: why there is nothing, for a person."""

    files: int = 0
    insertions: int = 0
    deletions: int = 0
    truncated: bool = False
    digest: str = ""
    problem: str | None = None
