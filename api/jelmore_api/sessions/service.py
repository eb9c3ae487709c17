"""Making, finding, listing and deleting sessions."""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from pydantic import ValidationError

from jelmore_api.errors import FieldError, Problem, from_validation, invalid_field, no_session
from jelmore_api.postgres import Row
from jelmore_api.resources.store import AlreadyThere, Changed, NameTaken, ResourceStore, StoredSession
from jelmore_api.sessions.repository import Place, SessionRepository
from jelmore_api.sessions.schemas import CreateSession, SessionPage, SessionView
from jelmore_api.sessions.tails import OutputTails
from jelmore_api.sessions.views import from_resource, from_row
from jelmore_api.sessions.workspaces import allowed_workspace
from jelmore_api.settings import Settings
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import encode_json
from jelmore_contract.resource import ClaudeSession, Metadata
from jelmore_contract.states import SessionState

#: Bytes of a resource: it must fit NATS' default max_payload of 1 MiB.
MAX_RESOURCE_BYTES = 1_000_000
#: The ids of sessions made with an Idempotency-Key are made from it in this namespace.
_KEYS = UUID("6b2f9a52-8c1d-4c39-9d0e-3a5b0f5c9a11")
_OLDEST = datetime.fromtimestamp(0, UTC)
_log = logging.getLogger("jelmore.api.sessions")


def utc_now() -> datetime:
    """In milliseconds, as the log has its times."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class SessionService:
    def __init__(
        self,
        settings: Settings,
        store: ResourceStore,
        repository: SessionRepository,
        tails: OutputTails,
        interrupt: Callable[[str], Awaitable[None]],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._store = store
        self._repository = repository
        self._tails = tails
        self._interrupt = interrupt
        self._clock = clock

    async def create(self, body: CreateSession, key: str | None) -> SessionView:
        """`key`: the same key in the same namespace is the same session. Raises Problem."""
        resource = self._resource(body, key)
        if key and (there := await self._made_before(resource, named=body.name is not None)):
            return there
        try:
            stored = await self._store.create(resource)
        except NameTaken:
            detail = (
                f"There is a session named {resource.metadata.name} already: choose another name, or delete that one."
            )
            raise Problem(ProblemType.CONFLICT, detail, errors=[invalid_field("is taken", "name")]) from None
        except AlreadyThere:
            if key and (there := await self._made_before(resource, named=body.name is not None)):
                return there
            detail = f"There is a session {resource.session_id} already: leave session_id out for a new one."
            raise Problem(ProblemType.CONFLICT, detail, errors=[invalid_field("is taken", "session_id")]) from None
        return from_resource(stored.resource)

    def _resource(self, body: CreateSession, key: str | None) -> ClaudeSession:
        spec = body.spec()
        if spec.workspace.path is not None:
            roots, home = self._settings.workspace_roots, self._settings.home
            spec.workspace.path = allowed_workspace(spec.workspace.path, roots, home)
        uid = uuid5(_KEYS, f"{body.namespace}/{key}") if key else uuid4()
        name = body.name or f"session-{uid.hex[:8]}"
        try:
            metadata = Metadata(name=name, namespace=body.namespace, uid=uid, creation_timestamp=self._clock())
            resource = ClaudeSession(metadata=metadata, spec=spec)
        except ValidationError as error:
            raise from_validation(error.errors()) from None
        if len(encode_json(resource.to_document())) > MAX_RESOURCE_BYTES:
            detail = f"The session's fields take more than {MAX_RESOURCE_BYTES} bytes. Put long text into a file."
            raise Problem(ProblemType.TOO_LARGE, detail)
        return resource

    async def _made_before(self, wanted: ClaudeSession, *, named: bool) -> SessionView | None:
        """The session that an earlier request with this key made. Raises Problem if that asked for something else."""
        stored = await self._store.get(wanted.session_id)
        view = from_resource(stored.resource) if stored else None
        if view is None and (row := await self._repository.get(wanted.session_id)) is not None:
            view = from_row(row, self._clock())
        if view is None:
            return None
        asked = from_resource(wanted)
        if view.spec != asked.spec or (named and view.name != asked.name):
            detail = "This Idempotency-Key was used for another session: use a new key for a new request."
            raise Problem(ProblemType.CONFLICT, detail)
        return await self.get(wanted.session_id)

    async def get(self, session_id: str) -> SessionView:
        """From the log's projections; from the resource where they do not know it yet, or are away. Raises Problem."""
        try:
            row = await self._repository.get(session_id)
        except Problem:
            if stored := await self._store.get(session_id):
                return from_resource(stored.resource)
            raise
        if row is None:
            if stored := await self._store.get(session_id):
                return from_resource(stored.resource)
            raise no_session(session_id)
        view = from_row(row, self._clock())
        sizes = await self._tails.sizes({session_id: row["output_count"]})
        return view.model_copy(update={"output_buffer_size": sizes[session_id]})

    async def page(
        self, status: SessionState | None, namespace: str | None, cursor: str | None, limit: int
    ) -> SessionPage:
        """Raises Problem."""
        after = _place(cursor) if cursor else None
        views = await self._unprojected(await self._page_of_rows(status, namespace, after, limit + 1))
        wanted = [
            view
            for view in views
            if (status is None or view.status == status)
            and (namespace is None or view.namespace == namespace)
            and (after is None or _place_of(view) < after)
        ]
        wanted.sort(key=_place_of, reverse=True)
        items = wanted[:limit]
        return SessionPage(items=items, next_cursor=_cursor(items[-1]) if len(wanted) > limit else None)

    async def _page_of_rows(
        self, status: SessionState | None, namespace: str | None, after: Place | None, limit: int
    ) -> list[SessionView] | None:
        """None while PostgreSQL is away."""
        try:
            rows = await self._repository.page(status, namespace, after, limit)
        except Problem:
            return None
        sizes = await self._tails.sizes({row["session_id"]: row["output_count"] for row in rows})
        return [_sized(row, sizes, self._clock()) for row in rows]

    async def _unprojected(self, rows: list[SessionView] | None) -> list[SessionView]:
        """The rows, and the sessions that have none yet; without PostgreSQL, those that are not over."""
        if rows is None:
            return [from_resource(stored.resource) for stored in await self._store.all()]
        try:
            unknown = await self._repository.unknown(await self._store.session_ids())
            found = [await self._store.get(session_id) for session_id in unknown]
        except Problem:
            return rows  # NATS is away: nothing new can have come either
        return rows + [from_resource(stored.resource) for stored in found if stored]

    async def delete(self, session_id: str) -> None:
        """Marks the resource; whoever reconciles ends the session. Done again, it changes nothing. Raises Problem."""
        while stored := await self._store.get(session_id):
            if stored.resource.metadata.deletion_timestamp is not None:
                return
            # A turn that runs ends with its result; without this it would be cut, to be continued.
            await self._interrupt(session_id)
            try:
                await self._store.replace(stored, self._marked(stored))
                return
            except Changed:
                _log.info("the resource changed meanwhile, reading it again")
        if await self._repository.get(session_id) is None:
            raise no_session(session_id)

    def _marked(self, stored: StoredSession) -> ClaudeSession:
        metadata = stored.resource.metadata
        marked = {"deletion_timestamp": self._clock(), "generation": metadata.generation + 1}
        return stored.resource.model_copy(update={"metadata": metadata.model_copy(update=marked)})


def _sized(row: Row, sizes: dict[str, int], now: datetime) -> SessionView:
    return from_row(row, now).model_copy(update={"output_buffer_size": sizes[row["session_id"]]})


def _place_of(view: SessionView) -> Place:
    return Place(view.created_at or _OLDEST, view.id)


def _cursor(view: SessionView) -> str:
    place = _place_of(view)
    return base64.urlsafe_b64encode(f"{place.created_at.isoformat()} {place.session_id}".encode()).decode().rstrip("=")


def _place(cursor: str) -> Place:
    """Raises Problem for what is no cursor."""
    try:
        date, session_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        created_at = datetime.fromisoformat(date)
        if created_at.tzinfo is None:
            raise ValueError("a date without a zone")
        return Place(created_at, str(UUID(session_id)))
    except (binascii.Error, ValueError):
        error = FieldError(detail="is no cursor: use next_cursor of the page before", pointer=None, parameter="cursor")
        raise Problem(ProblemType.INVALID_REQUEST, f"cursor: {error.detail}.", errors=[error]) from None
