"""An event loop in a thread of its own, for callers that have none: what a client without asyncio is made of."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from queue import SimpleQueue
from typing import Any


class Portal:
    """The loop lives as long as this, and pings what it is connected with while the caller does something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # As a daemon, since a client that nobody closes must not keep a program from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="jelmore", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """What still runs in it is cancelled."""
        if self._loop.is_closed():
            return
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. Ctrl-C in the caller's thread cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def run_calling[T](self, start: "Callable[[_Calls], Coroutine[Any, Any, T]]") -> T:
        """The same for a coroutine that calls functions of the caller, who is there to carry them out."""
        calls = _Calls(self._loop)
        future = asyncio.run_coroutine_threadsafe(start(calls), self._loop)
        future.add_done_callback(lambda _: calls.end())
        try:
            calls.carry_out()
            return future.result()
        finally:
            future.cancel()

    def iterate[T](self, items: AsyncGenerator[T]) -> Generator[T]:
        asking: set[asyncio.Task[Any] | None] = set()

        async def following() -> list[T]:
            asking.clear()
            asking.add(asyncio.current_task())
            async for item in items:
                return [item]
            return []

        async def close() -> None:
            # After Ctrl-C the last one may still be about to end; or nobody has told it to, where Ctrl-C came before
            # `run` waited for it. Told twice, it could not clean up.
            for task in asking:
                if task is not None:
                    if not task.cancelling():
                        task.cancel()
                    await asyncio.wait({task})
            await items.aclose()

        try:
            while item := self.run(following()):
                yield item[0]
        finally:
            self.run(close())


class _Calls:
    """Functions of a thread that waits for a loop, called from that loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def here[**P, T](self, function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
        """The function as the loop may await it."""

        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            done: asyncio.Future[T] = self._loop.create_future()

            def carry_out() -> None:
                try:
                    result = function(*args, **kwargs)
                except Exception as error:
                    self._loop.call_soon_threadsafe(_settle, done, partial(done.set_exception, error))
                else:
                    self._loop.call_soon_threadsafe(_settle, done, partial(done.set_result, result))

            self._waiting.put(carry_out)
            return await done

        return call

    def end(self) -> None:
        self._waiting.put(None)

    def carry_out(self) -> None:
        """In the thread that waits, until the end."""
        while (call := self._waiting.get()) is not None:
            call()


def _settle(future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    if not future.done():  # as it is once it was cancelled
        settle()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
