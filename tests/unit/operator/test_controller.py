"""The loop: what fails is tried again, what must wait waits, and a deadline stands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from nats.js.errors import NotFoundError

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.controller import Controller, NotYet, Outcome
from jelmore_operator.queue import WorkQueue
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, ForgetResource, Plan, PublishTerminated
from jelmore_operator.reconcile.policies.deletion import LIMIT
from tests.support.observations import AT_REST, ENDED, SESSION_ID, observed, resource

KEY = SessionKey("default", SESSION_ID)


class Sessions:
    """One session, whose actions do as `acting` says."""

    def __init__(self, session: ClaudeSession) -> None:
        self.session: ClaudeSession | None = session
        self.done: list[str] = []
        self.acting: Callable[[Action], Awaitable[None]] = self.succeed

    async def succeed(self, action: Action) -> None:
        pass

    async def observe(self, key: SessionKey) -> Observed | None:
        return None if self.session is None else observed(self.session, ENDED, runtime=AT_REST)

    async def apply(self, action: Action, observed: Observed) -> None:
        await self.acting(action)
        self.done.append(type(action).__name__)
        if isinstance(action, ForgetResource):
            self.session = None


def deleted(seconds_ago: float) -> ClaudeSession:
    return resource(deleted=datetime.now(UTC) - timedelta(seconds=seconds_ago))


@asynccontextmanager
async def controlled(sessions: Sessions) -> AsyncIterator[asyncio.Queue[Plan | None]]:
    """The ends of passes over the one session."""
    queue: WorkQueue[SessionKey] = WorkQueue()
    ends: asyncio.Queue[Plan | None] = asyncio.Queue()
    running = asyncio.create_task(Controller(queue, sessions, lambda key, plan: ends.put_nowait(plan)).run())
    queue.add(KEY)
    try:
        yield ends
    finally:
        running.cancel()
        await asyncio.wait((running,))
        queue.close()


END = ["PublishState", "PublishTerminated", "CloseCommands", "ForgetResource"]


@pytest.mark.parametrize("error", [NotFoundError(), TimeoutError(), RuntimeError("unforeseen")])
async def test_what_fails_is_tried_again_from_what_is_then(error: Exception) -> None:
    sessions = Sessions(deleted(1))
    tries = 0

    async def fail_twice(action: Action) -> None:
        nonlocal tries
        if isinstance(action, PublishTerminated):
            tries += 1
            if tries <= 2:
                raise error

    sessions.acting = fail_twice
    async with controlled(sessions) as ends, asyncio.timeout(10):
        await ends.get()
    assert sessions.done == ["PublishState", "PublishState", *END]


async def test_what_has_to_end_first_is_waited_for_without_counting_as_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sessions = Sessions(deleted(1))
    seen: list[Action] = []

    async def wait_once(action: Action) -> None:
        seen.append(action)
        if len(seen) == 1:
            raise NotYet("another is there still", 0.01)

    sessions.acting = wait_once
    async with controlled(sessions) as ends, asyncio.timeout(10):
        await ends.get()
    assert sessions.done == END
    assert "failed" not in caplog.text


async def test_past_its_limit_a_deletion_insists_on_letting_go_alone() -> None:
    sessions = Sessions(deleted(LIMIT + 1))

    async def refuse(action: Action) -> None:
        if not isinstance(action, ForgetResource):
            raise ConnectionError("the bus is away")

    sessions.acting = refuse
    async with controlled(sessions) as ends, asyncio.timeout(10):
        await ends.get()
    assert sessions.done == ["ForgetResource"]


async def test_past_its_limit_a_deletion_hangs_on_nothing() -> None:
    sessions = Sessions(deleted(LIMIT + 1))

    async def hang(action: Action) -> None:
        if isinstance(action, PublishTerminated):
            await asyncio.Event().wait()

    sessions.acting = hang
    async with controlled(sessions) as ends, asyncio.timeout(10):
        await ends.get()
    assert sessions.done == [name for name in END if name != "PublishTerminated"]


async def test_a_session_that_is_no_more_is_left() -> None:
    sessions = Sessions(deleted(1))
    sessions.session = None
    async with controlled(sessions) as ends, asyncio.timeout(10):
        assert await ends.get() is None
    assert sessions.done == []


async def test_at_the_end_what_is_in_hand_is_finished_and_nothing_else_begins() -> None:
    sessions = Sessions(deleted(1))
    queue: WorkQueue[SessionKey] = WorkQueue()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(action: Action) -> None:
        begun.set()
        await go_on.wait()

    sessions.acting = wait
    outcomes: list[Outcome] = []
    controller = Controller(queue, sessions, workers=2, counted=lambda outcome, seconds: outcomes.append(outcome))
    running = asyncio.create_task(controller.run())
    queue.add(KEY)
    async with asyncio.timeout(10):
        await begun.wait()
        finishing = asyncio.create_task(controller.finish())
        await asyncio.sleep(0)
        queue.add(SessionKey("default", "another"))
        assert not finishing.done()
        go_on.set()
        await finishing
        await running
    assert (sessions.done, outcomes) == (END, [Outcome.DONE])
    queue.close()


async def test_no_more_sessions_at_once_than_workers() -> None:
    sessions = Sessions(deleted(1))
    queue: WorkQueue[SessionKey] = WorkQueue()
    at_once, most, done = 0, 0, asyncio.Event()

    async def observe(key: SessionKey) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        if key.session_id == "49":
            done.set()

    sessions.observe = observe  # type: ignore[method-assign]  # none of them is there
    running = asyncio.create_task(Controller(queue, sessions, workers=3).run())
    for number in range(50):
        queue.add(SessionKey("default", str(number)))
    await asyncio.wait_for(done.wait(), 10)
    assert most == 3
    running.cancel()
    await asyncio.wait((running,))
