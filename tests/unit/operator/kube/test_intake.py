import asyncio
import logging
import threading
from typing import Any

import pytest

from jelmore_operator.kube import intake
from jelmore_operator.kube.api import Document, Kind


def watched(monkeypatch: pytest.MonkeyPatch, stop: threading.Event) -> int:
    """Watches with a kopf that fails at once. How often it said that it begins to end."""
    ended = 0

    async def fails(**_: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("can't create new thread at interpreter shutdown")

    def deliver(kind: Kind, change: str | None, document: Document) -> None:
        raise AssertionError("nothing was to be delivered")

    def end() -> None:
        nonlocal ended
        ended += 1

    monkeypatch.setattr("jelmore_operator.kube.intake.kopf.operator", fails)
    intake._serve(deliver, ("team-a",), stop, end)
    return ended


def test_a_watch_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert watched(monkeypatch, threading.Event()) == 1
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.WARNING, "watching failed")]


def test_how_one_ends_that_was_asked_to_is_nobodys_affair(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    stop.set()
    assert watched(monkeypatch, stop) == 1
    assert caplog.records == []
