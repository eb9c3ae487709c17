"""The client without asyncio: the same methods, which block. Each is the one of `AsyncJelmore` or `AsyncSession`."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, Self, Unpack

import httpx

from jelmore.client import AsyncJelmore
from jelmore.config import Target
from jelmore.events import Event
from jelmore.models import Answer, Approval, InputReceipt, Readiness, SessionView, TurnResult
from jelmore.portal import Portal
from jelmore.session import AsyncSession, Content
from jelmore.spec import Spec


def _blocks[**P, T](
    method: Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]],
) -> "Callable[Concatenate[Session, P], T]":
    @functools.wraps(method)
    def call(self: "Session", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._portal.run(method(self._session, *args, **kwargs))

    return call


def _iterates[**P, T](
    method: Callable[Concatenate[AsyncSession, P], AsyncGenerator[T]],
) -> "Callable[Concatenate[Session, P], Generator[T]]":
    @functools.wraps(method)
    def call(self: "Session", /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        return self._portal.iterate(method(self._session, *args, **kwargs))

    return call


class Session:
    """One session, got from `Jelmore`: an `AsyncSession` whose methods block."""

    def __init__(self, portal: Portal, session: AsyncSession) -> None:
        self._portal = portal
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self._session.id

    @property
    def name(self) -> str:
        return self._session.name

    @property
    def status(self) -> str:
        """One of SessionState, as of the last look."""
        return self._session.status

    @property
    def view(self) -> SessionView:
        """The session as it was when it was last looked at (`refresh`)."""
        return self._session.view

    refresh = _blocks(AsyncSession.refresh)
    send = _blocks(AsyncSession.send)
    wait = _blocks(AsyncSession.wait)
    approvals = _blocks(AsyncSession.approvals)
    answer = _blocks(AsyncSession.answer)
    interrupt = _blocks(AsyncSession.interrupt)
    retry = _blocks(AsyncSession.retry)
    patch = _blocks(AsyncSession.patch)
    diff = _blocks(AsyncSession.diff)
    delete = _blocks(AsyncSession.delete)
    content = _blocks(AsyncSession.content)
    stream = _iterates(AsyncSession.stream)
    events = _iterates(AsyncSession.events)
    export = _iterates(AsyncSession.export)

    def ask(
        self,
        content: Content,
        *,
        on_approval: Callable[[Approval], Answer | None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        timeout: float | None = None,
        key: str | None = None,
    ) -> TurnResult:
        """`send`, then `result`."""
        receipt = self.send(content, key=key)
        return self.result(receipt, on_approval=on_approval, on_event=on_event, timeout=timeout)

    def result(
        self,
        receipt: InputReceipt | None = None,
        *,
        on_approval: Callable[[Approval], Answer | None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        timeout: float | None = None,
    ) -> TurnResult:
        """As `AsyncSession.result`. What is called is called in the thread that waits here."""
        return self._portal.run_calling(
            lambda calls: self._session.result(
                receipt,
                on_approval=on_approval and calls.here(on_approval),
                on_event=on_event and calls.here(on_event),
                timeout=timeout,
            )
        )


class Jelmore:
    """`AsyncJelmore`, with methods that block. Threads may share it.

    with Jelmore() as jelmore:
        session = jelmore.create("Help me create a Python FastAPI application")
        print(session.result().text)
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 5,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = AsyncJelmore(url, token, timeout=timeout, retries=retries, transport=transport)
        self._portal = Portal()

    @property
    def target(self) -> Target:
        """Where Jelmore is."""
        return self._client.target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """What goes on in other threads is cut off."""
        self._portal.run(self._client.close())
        self._portal.close()

    def create(self, query: str | None = None, *, key: str | None = None, **spec: Unpack[Spec]) -> Session:
        """As `AsyncJelmore.create`."""
        return Session(self._portal, self._portal.run(self._client.create(query, key=key, **spec)))

    def get(self, session_id: str) -> Session:
        """As `AsyncJelmore.get`."""
        return Session(self._portal, self._portal.run(self._client.get(session_id)))

    def find(self, given: str) -> Session:
        """As `AsyncJelmore.find`."""
        return Session(self._portal, self._portal.run(self._client.find(given)))

    def list(
        self,
        *,
        status: Sequence[str] = (),
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        name_prefix: str = "",
    ) -> Generator[Session]:
        """As `AsyncJelmore.list`."""
        found = self._client.list(status=status, namespace=namespace, labels=labels, name_prefix=name_prefix)
        for session in self._portal.iterate(found):
            yield Session(self._portal, session)

    def readiness(self) -> Readiness:
        """As `AsyncJelmore.readiness`."""
        return self._portal.run(self._client.readiness())

    def version(self) -> str | None:
        """As `AsyncJelmore.version`."""
        return self._portal.run(self._client.version())
