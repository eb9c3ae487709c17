"""Answers that hold for a while."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from jelmore_api.auth.expiring import Expiring


class Source:
    """Counts how often it is asked; answers once `release` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.release = asyncio.Event()
        self.release.set()
        self.error: Exception | None = None

    def of(self, key: str) -> Callable[[], Coroutine[None, None, str]]:
        async def ask() -> str:
            self.asked.append(key)
            await self.release.wait()
            if self.error is not None:
                raise self.error
            return key.upper()

        return ask


def expiring(now: list[float], size: int = 10) -> Expiring[str, str]:
    return Expiring(lambda value: 1.0 if value == "NO" else 20.0, size, lambda: now[0])


async def test_an_answer_holds_for_its_time() -> None:
    source, now = Source(), [0.0]
    answers = expiring(now)
    for at, asked in ((0.0, 2), (0.9, 2), (1.0, 3), (1.9, 3), (19.9, 4), (20.0, 5)):
        now[0] = at
        assert [await answers.get(key, source.of(key)) for key in ("yes", "no")] == ["YES", "NO"]
        assert len(source.asked) == asked, at


async def test_the_one_not_asked_for_longest_goes_first() -> None:
    source, answers = Source(), expiring([0.0], size=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        await answers.get(key, source.of(key))
    assert source.asked == ["a", "b", "c", "b"]


async def test_however_many_want_it_one_asks() -> None:
    source, answers = Source(), expiring([0.0])
    source.release.clear()
    waiting = [asyncio.create_task(answers.get("a", source.of("a"))) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # whoever asked first leaves
    source.release.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert [await task for task in waiting[1:]] == ["A", "A"]
    assert source.asked == ["a"]


async def test_what_failed_is_asked_again() -> None:
    source, answers = Source(), expiring([0.0])
    source.error = OSError("away")
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            await answers.get("a", source.of("a"))
    source.error = None
    assert await answers.get("a", source.of("a")) == "A"
    assert len(source.asked) == 3
