"""The Python client of Jelmore.

from jelmore import Jelmore

with Jelmore() as jelmore:
    session = jelmore.create("Help me create a Python FastAPI application")
    print(session.result().text)

`AsyncJelmore` is the same for asyncio. What they are made of is imported when it is first used, so that the command,
which lies in this package, starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jelmore.blocking import Jelmore, Session
    from jelmore.client import AsyncJelmore
    from jelmore.models import Answer, Approval, Diff, InputReceipt, SessionView, TurnResult, Usage, allow, deny
    from jelmore.problems import (
        Conflict,
        Denied,
        InvalidRequest,
        JelmoreError,
        NotFound,
        NotListening,
        SessionEnded,
        SessionFailed,
        TimedOut,
        TurnFailed,
        Unavailable,
    )
    from jelmore.session import AsyncSession
    from jelmore_contract.states import InputState, SessionState

_PLACES = {
    "jelmore.blocking": ("Jelmore", "Session"),
    "jelmore.client": ("AsyncJelmore",),
    "jelmore.models": (
        *("Answer", "Approval", "Diff", "InputReceipt", "SessionView", "TurnResult", "Usage", "allow", "deny"),
    ),
    "jelmore.problems": (
        *("Conflict", "Denied", "InvalidRequest", "JelmoreError", "NotFound", "NotListening", "SessionEnded"),
        *("SessionFailed", "TimedOut", "TurnFailed", "Unavailable"),
    ),
    "jelmore.session": ("AsyncSession",),
    "jelmore_contract.states": ("InputState", "SessionState"),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Answer",
    "Approval",
    "AsyncJelmore",
    "AsyncSession",
    "Conflict",
    "Denied",
    "Diff",
    "InputReceipt",
    "InputState",
    "InvalidRequest",
    "Jelmore",
    "JelmoreError",
    "NotFound",
    "NotListening",
    "Session",
    "SessionEnded",
    "SessionFailed",
    "SessionState",
    "SessionView",
    "TimedOut",
    "TurnFailed",
    "TurnResult",
    "Unavailable",
    "Usage",
    "allow",
    "deny",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return __all__
