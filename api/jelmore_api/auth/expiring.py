"""Answers that hold for a short time, asked for once by however many want them at the same moment."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import NamedTuple


class _Answer[Value](NamedTuple):
    value: Value
    until: float


class Expiring[Key: Hashable, Value]:
    """At most `size` answers; the one that was not asked for longest goes first.

    lifetime: seconds that an answer holds.
    """

    def __init__(self, lifetime: Callable[[Value], float], size: int, clock: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._size = size
        self._clock = clock
        self._answers: OrderedDict[Key, _Answer[Value]] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key, ask: Callable[[], Coroutine[None, None, Value]]) -> Value:
        """`ask`: what it raises is raised to all who wait, and not kept."""
        answer = self._answers.get(key)
        if answer is not None and answer.until > self._clock():
            self._answers.move_to_end(key)
            return answer.value
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(ask())
            task.add_done_callback(lambda done: self._keep(key, done))
        # One of those who wait may leave: the others still want it.
        return await asyncio.shield(task)

    def _keep(self, key: Key, done: asyncio.Task[Value]) -> None:
        del self._asking[key]
        if done.cancelled() or done.exception() is not None:
            return
        value = done.result()
        self._answers[key] = _Answer(value, self._clock() + self._lifetime(value))
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)
