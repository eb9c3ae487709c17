"""Whether a session still takes anything."""

from jelmore_api.errors import no_session, session_ended
from jelmore_api.resources.store import ResourceStore, StoredSession
from jelmore_api.sessions.repository import SessionRepository
from jelmore_contract.states import SessionState


async def open_resource(store: ResourceStore, repository: SessionRepository, session_id: str) -> StoredSession:
    """The resource of a session that takes commands and changes. Raises Problem: 404, 409 for one that has ended."""
    stored = await store.get(session_id)
    if stored is None:
        if await repository.get(session_id) is None:
            raise no_session(session_id)
        raise session_ended(session_id)
    resource = stored.resource
    if resource.metadata.deletion_timestamp or resource.status.state == SessionState.TERMINATED:
        raise session_ended(session_id)
    return stored
