"""Making, finding, listing and deleting sessions."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue, ValidationError

from jelmore_api.auth.access import Access
from jelmore_api.clock import utc_now
from jelmore_api.errors import Problem, from_validation, invalid_field, no_session, session_ended
from jelmore_api.postgres import Row
from jelmore_api.resources.idempotency import Mark
from jelmore_api.resources.store import AlreadyThere, Change, MadeAndGone, NameTaken, NewSession, ResourceStore
from jelmore_api.sessions.changing import changed_by, spec_change
from jelmore_api.sessions.cursors import cursor_of, place_of
from jelmore_api.sessions.fitting import check_fits, fitting_spec
from jelmore_api.sessions.labels import labels_change
from jelmore_api.sessions.opening import open_resource
from jelmore_api.sessions.repeating import repeats
from jelmore_api.sessions.repository import Filter, Place, SessionRepository
from jelmore_api.sessions.schemas import CreateSession, SessionPage, SessionView
from jelmore_api.sessions.tails import OutputTails
from jelmore_api.sessions.views import from_resource, from_row
from jelmore_api.settings import Settings
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import rfc3339
from jelmore_contract.resource import RETRY_AT, STALLED, ClaudeSession
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import SessionKey

_OLDEST = datetime.fromtimestamp(0, UTC)


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

    async def create(self, body: CreateSession, key: str | None, access: Access) -> SessionView:
        """`key`: the same key in the same namespace is the same session. Raises Problem."""
        namespace = body.namespace or self._settings.default_namespace
        spec = fitting_spec(body.spec(), namespace, self._settings)
        await access.check_create(namespace, spec)
        mark = Mark.of(namespace, key, body.name, spec, body.labels) if key else None
        new = NewSession(namespace, body.name, spec, body.labels, mark)
        try:
            made = await self._store.create(new)
        except NameTaken:
            detail = f"There is a session named {body.name} already: choose another name, or delete that one."
            raise Problem(ProblemType.CONFLICT, detail, errors=[invalid_field("is taken", "name")]) from None
        except AlreadyThere:
            detail = f"There is a session {spec.session_id} already: leave session_id out for a new one."
            raise Problem(ProblemType.CONFLICT, detail, errors=[invalid_field("is taken", "session_id")]) from None
        except MadeAndGone as gone:
            return await self._ended(gone.session_id, new)
        except ValidationError as error:
            raise from_validation(error.errors()) from None
        resource = made.stored.resource
        if not made.before:
            return from_resource(resource)
        if mark is not None and not mark.same_request(resource.metadata):
            raise _used_key()
        return await self.get(resource.session_id)

    async def _ended(self, session_id: str, new: NewSession) -> SessionView:
        """The session that an earlier request with the same key made, and of which only the log is left."""
        created = await self._repository.created(session_id)
        if created is not None and not repeats(new, created):
            raise _used_key()
        return await self.get(session_id)

    async def get(self, session_id: str) -> SessionView:
        """From the log's projections; from the resource where they do not know it yet, or are away. Raises Problem."""
        found = await self._known(self._repository.get, session_id)
        if isinstance(found, ClaudeSession):
            return from_resource(found)
        resource, sizes = await asyncio.gather(
            self._resource(session_id), self._tails.sizes({session_id: found["output_count"]})
        )
        return _sized(found, sizes, self._clock(), resource)

    async def key(self, session_id: str) -> SessionKey:
        """Where its log is. Raises Problem."""
        found = await self._known(self._repository.namespace, session_id)
        return SessionKey(found.metadata.namespace if isinstance(found, ClaudeSession) else found, session_id)

    async def _known[T](self, projected: Callable[[str], Awaitable[T | None]], session_id: str) -> T | ClaudeSession:
        """What the projections have; the resource where they do not know it yet, or are away. Raises Problem."""
        try:
            found, problem = await projected(session_id), no_session(session_id)
        except Problem as away:
            found, problem = None, away
        if found is not None:
            return found
        if stored := await self._store.get(session_id):
            return stored.resource
        raise problem

    async def _resource(self, session_id: str) -> ClaudeSession | None:
        """None for a session that is over, or while that is unknown."""
        try:
            stored = await self._store.get(session_id)
        except Problem:
            return None
        return stored.resource if stored is not None else None

    async def change(self, session_id: str, body: Mapping[str, JsonValue], access: Access) -> SessionView:
        """`body`: a merge patch of the spec, with `labels` beside its fields. Raises Problem."""
        stored = await open_resource(self._store, self._repository, session_id)
        before = stored.resource.spec
        after = changed_by(before, {name: value for name, value in body.items() if name != "labels"})
        labels = labels_change(stored.resource.metadata.labels, body["labels"]) if "labels" in body else {}
        check_fits(after, self._settings)
        if (after.credentials, after.workspace.git) != (before.credentials, before.workspace.git):
            await access.check_secrets(stored.resource.metadata.namespace, after)
        if await self._store.patch(stored, Change(spec_change(before, after), labels)) is None:
            raise session_ended(session_id)
        return await self.get(session_id)

    async def retry(self, session_id: str) -> SessionView:
        """Another try of a session that failed. Raises Problem."""
        stored = await open_resource(self._store, self._repository, session_id)
        status = stored.resource.status
        row = await self._repository.get(session_id)
        if SessionState.FAILED not in (status.state, row["state"] if row else None):
            detail = f"Session {session_id} is {status.state}: only one that failed can be tried again."
            raise Problem(ProblemType.CONFLICT, detail)
        # After its failure, whatever the clocks of two machines say.
        since = [c.last_transition_time for c in status.conditions if c.type == STALLED]
        at = max([self._clock(), *(moment + timedelta(milliseconds=1) for moment in since)])
        if await self._store.patch(stored, Change({}, {}, {RETRY_AT: rfc3339(at)})) is None:
            raise session_ended(session_id)
        return await self.get(session_id)

    async def page(self, wanted: Filter, cursor: str | None, limit: int) -> SessionPage:
        """`cursor`: a Cursor. Raises Problem."""
        after = place_of(cursor) if cursor else None
        # These first: what is mirrored meanwhile is in the rows.
        views = await self._unmirrored()
        try:
            views |= await self._page_of_rows(wanted, after, limit + 1)
        except Problem:
            views = {stored.resource.session_id: from_resource(stored.resource) for stored in await self._store.all()}
        found = [view for view in views.values() if wanted.takes(view) and (after is None or _place_of(view) < after)]
        found.sort(key=_place_of, reverse=True)
        items = found[:limit]
        return SessionPage(items=items, next_cursor=cursor_of(_place_of(items[-1])) if len(found) > limit else None)

    async def _page_of_rows(self, wanted: Filter, after: Place | None, limit: int) -> dict[str, SessionView]:
        rows = await self._repository.page(wanted, after, limit)
        sizes = await self._tails.sizes({row["session_id"]: row["output_count"] for row in rows})
        return {row["session_id"]: _sized(row, sizes, self._clock()) for row in rows}

    async def _unmirrored(self) -> dict[str, SessionView]:
        """Sessions that have no row yet. While either server is away, none: without NATS nothing new can have come."""
        try:
            ids = await self._repository.unknown(await self._store.session_ids())
            found = [await self._store.get(session_id) for session_id in ids]
        except Problem:
            return {}
        return {stored.resource.session_id: from_resource(stored.resource) for stored in found if stored}

    async def delete(self, session_id: str) -> None:
        """Whoever reconciles ends the session. Done again, it changes nothing. Raises Problem."""
        stored = await self._store.get(session_id)
        if stored is None:
            if await self._repository.get(session_id) is None:
                raise no_session(session_id)
        elif stored.resource.metadata.deletion_timestamp is None:
            # A turn that runs ends with its result; without this it would be cut, to be continued.
            await self._interrupt(session_id)
            await self._store.delete(stored)


def _used_key() -> Problem:
    detail = "This Idempotency-Key was used for another session: use a new key for a new request."
    return Problem(ProblemType.CONFLICT, detail)


def _sized(row: Row, sizes: dict[str, int], now: datetime, resource: ClaudeSession | None = None) -> SessionView:
    return from_row(row, now, resource).model_copy(update={"output_buffer_size": sizes[row["session_id"]]})


def _place_of(view: SessionView) -> Place:
    return Place(view.created_at or _OLDEST, view.id)
