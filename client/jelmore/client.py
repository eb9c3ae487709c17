"""Jelmore's API, for asyncio. The command and the client without asyncio are made of this."""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack
from urllib.parse import quote
from uuid import uuid4

import httpx

from jelmore.config import Target, find_target
from jelmore.matching import find_session, full_id
from jelmore.models import Alive, Readiness, SessionPage, SessionView
from jelmore.session import AsyncSession
from jelmore.spec import Spec
from jelmore.transport import Transport

_PAGE = 200  # sessions; the most that the API gives at once


class AsyncJelmore:
    """Every method raises JelmoreError.

    async with AsyncJelmore() as jelmore:
        session = await jelmore.create("Help me create a Python FastAPI application")
        print((await session.result()).text)

    url: without it JELMORE_URL, what `jelmore up` runs on this machine, or http://127.0.0.1:8000. token: without it
    JELMORE_TOKEN. timeout: seconds for each try of a request. retries: further tries, with growing pauses, where the
    connection was lost or Jelmore says that it cannot now (429, 503). transport: for tests.
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
        target = find_target(url, os.environ, token)
        self._transport = Transport(target, timeout=timeout, retries=retries, transport=transport)

    @property
    def target(self) -> Target:
        """Where Jelmore is."""
        return self._transport.target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    async def create(self, query: str | None = None, *, key: str | None = None, **spec: Unpack[Spec]) -> AsyncSession:
        """A session; with `query`, Claude starts working. Does not wait for that: see `AsyncSession.result`.

        key: your own name for this request: sent again with it, also by another process, it is the same session.
        """
        fields = {"query": query, **spec} if query is not None else spec
        view = await self._transport.call(SessionView, "POST", "session", body=fields, key=key or str(uuid4()))
        return AsyncSession(self._transport, view)

    async def get(self, session_id: str) -> AsyncSession:
        """Also one that has ended: its log stays readable."""
        path = f"session/{quote(session_id, safe='')}"
        return AsyncSession(self._transport, await self._transport.call(SessionView, "GET", path))

    async def find(self, given: str) -> AsyncSession:
        """By its name, its id, or the beginning of that (at least 4 characters). Raises InvalidRequest where several
        are meant.
        """
        if (session_id := full_id(given)) is not None:
            return await self.get(session_id)
        named = [session.view async for session in self.list(name_prefix=given) if session.name == given]
        known = named or [session.view async for session in self.list()]
        return AsyncSession(self._transport, find_session(given, known))

    async def list(
        self,
        *,
        status: Sequence[str] = (),
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        name_prefix: str = "",
    ) -> AsyncGenerator[AsyncSession]:
        """Newest first, those that have ended included; read by the page.

        status: those in one of these states. labels: those with all of these. name_prefix: those whose name begins so.
        """
        told: dict[str, str | Sequence[str]] = {
            "status": (status,) if isinstance(status, str) else status,
            "namespace": namespace or "",
            "label": [f"{name}={value}" for name, value in (labels or {}).items()],
            "name_prefix": name_prefix,
        }
        asked: dict[str, str | int | Sequence[str]] = {"limit": _PAGE}
        asked |= {name: value for name, value in told.items() if value}
        while True:
            page = await self._transport.call(SessionPage, "GET", "sessions", query=asked)
            for view in page.items:
                yield AsyncSession(self._transport, view)
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    async def readiness(self) -> Readiness:
        """What is there of all that the API needs; also while something is away."""
        return self._transport.read(Readiness, await self._transport.request("GET", "/readyz", also=503))

    async def version(self) -> str | None:
        """The API's; None for one that does not tell."""
        return self._transport.read(Alive, await self._transport.request("GET", "/healthz")).version
