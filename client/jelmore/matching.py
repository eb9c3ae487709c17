"""Which session, and which approval, is meant by what was typed. Pure."""

import re
from collections.abc import Iterable, Sequence
from uuid import UUID

from jelmore.models import Approval, SessionView
from jelmore.problems import InvalidRequest, NotFound
from jelmore_contract.states import SessionState

#: Characters of an id that must be given at least.
SHORTEST_PREFIX = 4
_PREFIX = re.compile(rf"[0-9a-f-]{{{SHORTEST_PREFIX},36}}")
_NEWEST = 5  # candidates that an error names


def full_id(given: str) -> str | None:
    """The session's id, if that is what was typed."""
    try:
        canonical = str(UUID(given))
    except ValueError:
        return None
    return canonical if canonical == given.lower() else None


def find_session(given: str, sessions: Iterable[SessionView]) -> SessionView:
    """The one with that name, or whose id begins so. `sessions`: newest first, ended ones included.

    A name may have been used before: it means the session that has it now, else the last one that had it. Raises
    NotFound, or InvalidRequest where several are meant.
    """
    known = list(sessions)
    named = [session for session in known if session.name == given]
    living = [session for session in named if session.status != SessionState.TERMINATED]
    if named:
        return _only(given, living or named[:1])
    prefix = given.lower()
    if _PREFIX.fullmatch(prefix) and (begun := [session for session in known if session.id.startswith(prefix)]):
        return _only(given, begun)
    if not known:
        raise NotFound(f'no session {given}: there is none yet; jelmore create "…" makes one')
    hint = f"an id takes at least {SHORTEST_PREFIX} characters; " if len(given) < SHORTEST_PREFIX else ""
    raise NotFound(f"no session has the name {given} or an id that begins so: {hint}jelmore ls lists them")


def _only(given: str, found: Sequence[SessionView]) -> SessionView:
    if len(found) > 1:
        names = ", ".join(f"{session.id} ({session.name}, {session.status})" for session in found[:_NEWEST])
        more = f" and {len(found) - _NEWEST} more" if len(found) > _NEWEST else ""
        raise InvalidRequest(f"{given} may be any of {len(found)} sessions: {names}{more}; give more of the id")
    return found[0]


def find_approval(given: str | None, approvals: Sequence[Approval], session: str) -> Approval:
    """The one whose id begins so; without an id, the only open one. Raises NotFound, or InvalidRequest."""
    if not approvals:
        raise NotFound(f"Claude asks nothing in {session}: jelmore logs -f {session} shows what it does")
    found = [one for one in approvals if given is None or one.approval_id.startswith(given)]
    if not found:
        raise NotFound(f"no open approval {given} in {session}; open: {_listed(approvals)}")
    if len(found) > 1:
        raise InvalidRequest(f"Claude asks {len(found)} things in {session}; say which: {_listed(found)}")
    return found[0]


def _listed(approvals: Sequence[Approval]) -> str:
    return "".join(f"\n  {one.approval_id}  {one.kind}  {one.tool_name}" for one in approvals)
