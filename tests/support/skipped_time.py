"""Time that passes only while nobody has anything to do: for what is decided by the event loop's clock, so that a
machine that stands still for a moment changes nothing.
"""

import asyncio
from typing import Any

import pytest


@pytest.fixture
async def skipped_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the test's event loop would wait for its next date, that date has come at once. For tests without I/O."""
    loop: Any = asyncio.get_running_loop()
    select = loop._selector.select
    now = loop.time()

    def skip(timeout: float | None) -> Any:
        nonlocal now
        now += timeout or 0
        return select(0 if timeout is not None else None)

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop._selector, "select", skip)
