"""How a session's id is read."""

from uuid import UUID

from jelmore_api.errors import no_session


def canonical_id(session_id: str) -> str:
    """In its canonical form. Raises Problem (404) for what cannot be the id of a session."""
    try:
        canonical = str(UUID(session_id))
    except ValueError:
        raise no_session(session_id) from None
    if canonical != session_id.lower():
        raise no_session(session_id)
    return canonical
