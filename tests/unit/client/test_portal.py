import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from jelmore.portal import Portal


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal()
    yield made
    made.close()
    made.close()  # again, it does nothing
    assert "jelmore" not in {thread.name for thread in threading.enumerate()}


def test_a_coroutine_runs_in_another_thread_and_its_outcome_comes_back(portal: Portal) -> None:
    async def thread() -> str:
        return threading.current_thread().name

    async def fails() -> None:
        raise KeyError("it")

    assert portal.run(thread()) == "jelmore"
    with pytest.raises(KeyError, match="it"):
        portal.run(fails())


def test_functions_of_the_caller_are_called_in_its_thread(portal: Portal) -> None:
    def where(name: str) -> tuple[str, threading.Thread]:
        return name, threading.current_thread()

    def fails() -> None:
        raise KeyError("mine")

    name, thread = portal.run_calling(lambda calls: asked(calls.here(where)("x")))
    assert (name, thread) == ("x", threading.current_thread())
    with pytest.raises(KeyError, match="mine"):
        portal.run_calling(lambda calls: asked(calls.here(fails)()))
    with pytest.raises(TypeError):
        portal.run_calling(lambda calls: asked(calls.here(where)()))  # type: ignore[call-arg]  # on purpose


async def asked[T](call: Awaitable[T]) -> T:
    return await call


def test_ctrl_c_in_a_function_of_the_caller_cancels_what_waits_for_it(portal: Portal) -> None:
    cancelled = threading.Event()

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def waits(call: Awaitable[None]) -> None:
        try:
            await call
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        portal.run_calling(lambda calls: waits(calls.here(interrupted)()))
    assert cancelled.wait(10)


def test_items_come_one_by_one_and_a_loop_that_is_left_ends_what_makes_them(portal: Portal) -> None:
    closed: list[bool] = []

    async def count() -> AsyncGenerator[int]:
        try:
            for number in range(1, 10):
                yield number
        finally:
            closed.append(True)

    assert list(portal.iterate(count())) == list(range(1, 10))
    following = portal.iterate(count())
    assert next(following) == 1
    following.close()
    assert closed == [True, True]


async def nothing(waiting: threading.Event, closed: list[str]) -> AsyncGenerator[int]:
    """Is waited for without end. `closed`: gets the name of the thread in which that was over."""
    try:
        waiting.set()
        await asyncio.Event().wait()
        yield 1
    finally:
        # It takes a while to close, as a connection does.
        await asyncio.sleep(0)
        closed.append(threading.current_thread().name)


def test_ctrl_c_while_an_item_is_waited_for(portal: Portal) -> None:
    waiting = threading.Event()
    closed: list[str] = []
    main = threading.main_thread().ident

    def press() -> None:
        waiting.wait(10)
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        next(portal.iterate(nothing(waiting, closed)))
    pressing.join()
    assert closed == ["jelmore"]


def test_ctrl_c_just_before_an_item_is_waited_for(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    closed: list[str] = []
    submit = asyncio.run_coroutine_threadsafe

    def pressed(coroutine: Coroutine[Any, Any, object], loop: asyncio.AbstractEventLoop) -> None:
        submit(coroutine, loop)
        waiting.wait(10)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", pressed)
    with pytest.raises(KeyboardInterrupt):
        next(portal.iterate(nothing(waiting, closed)))
    assert closed == ["jelmore"]


def test_what_still_runs_at_the_end_is_cancelled() -> None:
    portal = Portal()
    began, cancelled = threading.Event(), threading.Event()

    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def run() -> None:
        with pytest.raises(CancelledError):
            portal.run(waits())

    thread = threading.Thread(target=run)
    thread.start()
    assert began.wait(10)
    portal.close()
    thread.join(10)
    assert cancelled.is_set()
