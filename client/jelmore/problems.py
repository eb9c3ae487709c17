"""What goes wrong, as exceptions whose text says what is wrong and what to do."""

import json
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jelmore.models import TurnResult

_ENDED = "session-ended"  # ProblemType.SESSION_ENDED


class ExitCode(IntEnum):
    """Of the command (design section 8)."""

    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    SESSION_FAILED = 5
    TIMEOUT = 124


class JelmoreError(Exception):
    """`status`, `document`: of the API's answer and its problem document (RFC 9457), where it is one."""

    exit_code = ExitCode.ERROR

    def __init__(self, detail: str, document: dict[str, object] | None = None, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.document = document
        self.status = status


class InvalidRequest(JelmoreError):
    """What was given cannot be meant."""

    exit_code = ExitCode.USAGE


class NotFound(JelmoreError):
    """There is no such session, approval or blob."""

    exit_code = ExitCode.NOT_FOUND


class Denied(JelmoreError):
    """Without a token, with a wrong one, or not for this caller."""

    exit_code = ExitCode.DENIED


class Conflict(JelmoreError):
    """It does not go together with what is there: a name that is taken, an approval that was answered."""


class SessionEnded(Conflict):
    """The session is terminated: its log can be read, and nothing else done."""


class Unavailable(JelmoreError):
    """Jelmore cannot do it now; the same again may work in a moment."""


class NotListening(Unavailable):
    """Nothing answers at the address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"no Jelmore at {url}: start it with `make up`, or set JELMORE_URL")


class SessionFailed(JelmoreError):
    """The session that was waited for cannot go on, or has ended."""

    exit_code = ExitCode.SESSION_FAILED


class TurnFailed(SessionFailed):
    """The turn that was waited for went wrong; the session goes on. `result`: what there is of it, with its cost."""

    def __init__(self, detail: str, result: "TurnResult") -> None:
        super().__init__(detail)
        self.result = result


class TimedOut(JelmoreError):
    """It took longer than was given; the session goes on."""

    exit_code = ExitCode.TIMEOUT


_KINDS: dict[int, type[JelmoreError]] = {
    400: InvalidRequest,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def from_response(status: int, body: bytes, url: str) -> JelmoreError:
    """The error that an answer is. `url`: of the service, for what is no answer of Jelmore's."""
    kind = _KINDS.get(status, JelmoreError)
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("detail"), str):
        return kind(f"{url} answered {status}, but not as Jelmore does: check JELMORE_URL", status=status)
    if kind is Conflict and str(document.get("type")).endswith(f"/{_ENDED}"):
        kind = SessionEnded
    return kind(document["detail"], document, status)
