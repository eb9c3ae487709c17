"""Looking again at the caller of a stream, which stays open for longer than any answer of Kubernetes holds."""

import asyncio
from collections.abc import Awaitable, Callable

from jelmore_api.auth.access import Admission
from jelmore_api.auth.rules import Verb
from jelmore_api.errors import Problem
from jelmore_contract.errors import ProblemType

#: Seconds from one look to the next: as long as a yes of Kubernetes is remembered.
INTERVAL = 20.0

#: Raises Problem once the caller may not read the stream any more.
type Check = Callable[[], Awaitable[None]]


class AccessLost(Exception):
    """The caller may not read any more. Its text says why."""


def reader_check(admit: Admission | None, authorization: list[str], session_id: str) -> Check | None:
    """None on one machine, where nothing is taken away. `authorization`: every such header of the request."""
    if admit is None:
        return None

    async def check() -> None:
        access = await admit(authorization)
        await access.check_session(session_id, Verb.GET)

    return check


async def until_lost(check: Check | None) -> None:
    """Raises AccessLost. While Kubernetes cannot be asked, what is open stays open."""
    if check is None:
        await asyncio.Event().wait()
        return
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            await check()
        except Problem as problem:
            if problem.kind is not ProblemType.UNAVAILABLE:
                raise AccessLost(problem.detail) from problem
