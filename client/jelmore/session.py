"""One session, for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Unpack
from urllib.parse import quote
from uuid import uuid4

from jelmore.blobs import blob_of, with_payload
from jelmore.events import Event, InputChanged, StateChanged, Terminated, TurnCompleted, read_event
from jelmore.following import OnApproval, OnEvent, follow_turn
from jelmore.models import Answer, Approval, ApprovalPage, Diff, EventPage, InputReceipt, SessionView, TurnResult
from jelmore.problems import InvalidRequest, SessionFailed, TimedOut
from jelmore.spec import SpecChanges
from jelmore.stream import Stream
from jelmore.transport import Query, Transport
from jelmore.turn import ENDED, Turn, state_after
from jelmore.values import number
from jelmore_contract.states import SessionState

_EVENTS_PAGE = 1000
type Content = str | Sequence[dict[str, Any]]


class AsyncSession:
    """Got from `AsyncJelmore`. Every method raises JelmoreError.

    `view`: the session as it was when it was last looked at (`refresh`).
    """

    def __init__(self, transport: Transport, view: SessionView) -> None:
        self._transport = transport
        self._told = 0  # up to which seq `_state` is known
        self._state: str = SessionState.PENDING
        self.view = view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self.view.id

    @property
    def name(self) -> str:
        return self.view.name

    @property
    def status(self) -> str:
        """One of SessionState, as of the last look."""
        return self.view.status

    async def refresh(self) -> SessionView:
        """Looks at it again."""
        self.view = await self._transport.call(SessionView, "GET", self._path())
        return self.view

    async def send(self, content: Content, *, key: str | None = None) -> InputReceipt:
        """The next prompt; a session that hibernates wakes. Does not wait for what Claude makes of it.

        content: text, or blocks as the Messages API has them. key: your own name for this input: sent again with it,
        also by another process, it runs once.
        """
        said = {"text": content} if isinstance(content, str) else {"content": list(content)}
        body = {**said, "idempotency_key": key or str(uuid4())}
        return await self._transport.call(InputReceipt, "POST", self._path("input"), body=body)

    async def ask(
        self,
        content: Content,
        *,
        on_approval: OnApproval | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        key: str | None = None,
    ) -> TurnResult:
        """`send`, then `result`."""
        receipt = await self.send(content, key=key)
        return await self.result(receipt, on_approval=on_approval, on_event=on_event, timeout=timeout)

    async def result(
        self,
        receipt: InputReceipt | None = None,
        *,
        on_approval: OnApproval | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> TurnResult:
        """Waits until Claude is done with an input; without a receipt, with the query that the session was made with.

        on_approval: called with each approval, question and plan; returns `allow(...)`, `deny(...)`, or None to leave
        it to somebody else. on_event: called with each event of the turn. timeout: seconds. Raises TurnFailed,
        SessionFailed, TimedOut.
        """
        async with _limit(timeout):
            after, turn = await self._turn(receipt)
            frames = Stream(self._transport, self.id, after).frames()
            async with aclosing(frames):
                return await follow_turn(turn, frames, self.answer, on_approval, on_event)

    async def _turn(self, receipt: InputReceipt | None) -> tuple[int, Turn]:
        """The turn, and a place of the log before all of its events."""
        if receipt is None:
            return 0, Turn(None, expected=self.view.spec.get("query") is not None)
        after, cost = 0, 0.0
        async for event in self.events(types=(InputChanged.TYPE, TurnCompleted.TYPE)):
            if isinstance(event, TurnCompleted):
                cost = number(dict(event.payload), "cost_usd")
            elif isinstance(event, InputChanged) and event.payload["input_id"] == receipt.input_id:
                after = event.seq - 1
                break
            after = event.seq
        return after, Turn(receipt.input_id, state=self.status, cost_usd=cost)

    async def stream(
        self,
        after: int = 0,
        *,
        deltas: bool = False,
        follow: bool = True,
        timeout: float | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[Event]:
        """Every event with a greater seq than `after`, each once and in order, then what comes, until the session has
        ended. A lost connection is made again, and nothing is missing or doubled.

        deltas: also OutputDelta, where the session has `partial_messages`. follow: False ends where the log ends now.
        timeout: seconds for the whole; then TimedOut. on_lost: called when the connection is lost.
        """
        frames = Stream(self._transport, self.id, after, deltas=deltas, lost=on_lost).frames()
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        async with aclosing(frames):
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        came = await anext(frames)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise _timed_out() from None
                if isinstance(came, Event):
                    yield came
                elif not follow:
                    return

    async def events(self, after: int = 0, *, types: Sequence[str] = ()) -> AsyncGenerator[Event]:
        """What is stored with a greater seq, read by the page. types: only these, such as "session.output"."""
        while True:
            query: Query = {"after": after, "limit": _EVENTS_PAGE, "types": types}
            page = await self._transport.call(EventPage, "GET", self._path("events"), query=query)
            for item in page.items:
                yield read_event(item)
            if len(page.items) < _EVENTS_PAGE:
                return
            after = page.next_after

    async def wait(self, *until: str, timeout: float | None = None) -> str:
        """Until the session is in one of these states, at once where it is; without any, until it needs nothing but
        somebody: idle, waiting_input, hibernated. Which one it is.

        Raises SessionFailed where it goes on no more, and that was not waited for; TimedOut; InvalidRequest.
        """
        wanted = _states(until)
        async with _limit(timeout):
            async for event in self.events(self._told, types=(StateChanged.TYPE, Terminated.TYPE)):
                self._take_state(event)
            if self._told and self._reached(wanted):
                return self._state
            async with aclosing(self.stream(self._told)) as events:
                async for event in events:
                    self._take_state(event)
                    if state_after(event) and self._reached(wanted):
                        return self._state
        raise SessionFailed("the session has ended")

    def _take_state(self, event: Event) -> None:
        self._told = event.seq
        self._state = state_after(event) or self._state

    def _reached(self, wanted: Sequence[str]) -> bool:
        """Raises SessionFailed."""
        self.view = self.view.model_copy(update={"status": self._state})
        if self._state in ENDED and self._state not in wanted:
            raise SessionFailed(f"the session is {self._state}")
        return self._state in wanted

    async def approvals(self) -> list[Approval]:
        """What waits for an answer, oldest first."""
        return (await self._transport.call(ApprovalPage, "GET", self._path("approvals"))).items

    async def answer(self, approval: Approval | str, answer: Answer) -> None:
        """approval: or its id. answer: `allow(...)` or `deny(...)`. Raises Conflict where it was answered otherwise."""
        approval_id = approval if isinstance(approval, str) else approval.approval_id
        body = answer.model_dump(exclude_none=True)
        await self._request("POST", "approvals", approval_id, body=body)

    async def interrupt(self) -> None:
        """Stops the turn; the session goes on."""
        await self._request("POST", "interrupt")

    async def retry(self) -> None:
        """Has a failed session tried again. Raises Conflict for one that is not."""
        await self._request("POST", "retry")

    async def patch(self, **changes: Unpack[SpecChanges]) -> SessionView:
        """Changes its spec: of an object, what is not named stays."""
        self.view = await self._transport.call(SessionView, "PATCH", self._path(), body=changes)
        return self.view

    async def diff(self) -> Diff:
        """What the workspace's files are, against the session's start."""
        return await self._transport.call(Diff, "GET", self._path("diff"))

    async def delete(self) -> None:
        """Ends it for good; its log stays readable."""
        await self._transport.request("DELETE", f"/api/v1/{self._path()}")

    async def content(self, event: Event) -> bytes:
        """What an event's payload stands for, byte for byte, also where it was too large for the event."""
        name = blob_of(event)
        if name is None:
            return event.content
        return (await self._transport.request("GET", f"/api/v1/{self._path('blobs', name)}")).content

    async def export(
        self, after: int = 0, *, blobs: bool = False, on_lost: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Event]:
        """The log as it is now; `event.text` is the line of JSON. blobs: with payloads that were too large for their
        event put in their place.
        """
        async with aclosing(self.stream(after, follow=False, on_lost=on_lost)) as events:
            async for event in events:
                if blobs and blob_of(event) is not None:
                    yield with_payload(event, await self.content(event))
                else:
                    yield event

    def _path(self, *parts: str) -> str:
        return "/".join(("session", *(quote(part, safe="") for part in (self.id, *parts))))

    async def _request(self, method: str, *parts: str, body: object = None) -> None:
        await self._transport.request(method, f"/api/v1/{self._path(*parts)}", body=body)


def _states(until: Sequence[str]) -> Sequence[str]:
    if wrong := [state for state in until if state not in set(SessionState)]:
        raise InvalidRequest(f"{wrong[0]!r} is no state of a session: {', '.join(SessionState)} are")
    return until or (SessionState.IDLE, SessionState.WAITING_INPUT, SessionState.HIBERNATED)


@asynccontextmanager
async def _limit(timeout: float | None) -> AsyncIterator[None]:
    """Raises TimedOut."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise _timed_out() from None


def _timed_out() -> TimedOut:
    return TimedOut("the time is over; the session goes on")
