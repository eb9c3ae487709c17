"""What goes wrong, as exceptions that carry the command's exit code (design section 8) and say what to do."""

import json
from enum import IntEnum


class ExitCode(IntEnum):
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    SESSION_FAILED = 5
    TIMEOUT = 124


class JelmoreError(Exception):
    """The text says what is wrong and what to do. `document`: the API's problem document (RFC 9457), if it sent one."""

    exit_code = ExitCode.ERROR

    def __init__(self, detail: str, document: dict[str, object] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.document = document


class UsageProblem(JelmoreError):
    """What was given cannot be meant."""

    exit_code = ExitCode.USAGE


class NotFound(JelmoreError):
    exit_code = ExitCode.NOT_FOUND


class Denied(JelmoreError):
    exit_code = ExitCode.DENIED


class SessionFailed(JelmoreError):
    """The session, or the turn that was waited for."""

    exit_code = ExitCode.SESSION_FAILED


class TimedOut(JelmoreError):
    exit_code = ExitCode.TIMEOUT


class NotListening(JelmoreError):
    """Nothing answers at the address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"no Jelmore at {url}: start it with `make up`, or set JELMORE_URL")


class Unavailable(JelmoreError):
    """Jelmore answers, but cannot do it now; the same again may work in a moment."""


_KINDS: dict[int, type[JelmoreError]] = {
    400: UsageProblem,
    401: Denied,
    403: Denied,
    404: NotFound,
    413: UsageProblem,
    422: UsageProblem,
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
        return kind(f"{url} answered {status}, but not as Jelmore does: check JELMORE_URL")
    return kind(document["detail"], document)
