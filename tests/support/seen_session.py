"""Sessions with the real CLI under a supervisor, and what their model was asked."""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from jelmore_contract.report import Report
from jelmore_contract.resource import SessionStatus
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import STREAM, SessionKey, report_subject
from jelmore_operator.reconcile.live import live_settings
from tests.support.claude_cli import cli_path
from tests.support.recorder import Recorder
from tests.support.supervised import Supervised, supervising


@dataclasses.dataclass
class Seen:
    """A session with the real CLI, and what its model was asked."""

    supervised: Supervised
    key: SessionKey
    model: Recorder

    async def turn(self) -> SessionStatus:
        """Waits until the turn is over, or stands still for an answer."""
        done = (SessionState.WAITING_INPUT, SessionState.FAILED)
        return await self.supervised.until(
            self.key, lambda s: s.state in done or (s.usage.turns > 0 and s.state is SessionState.IDLE)
        )

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in (self.supervised.folder(self.key) / "workspace").iterdir())

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """The CLI's lines of one type."""
        events = await self.supervised.events(self.key)
        return [payload for name, payload in events if name == "session.output" and payload.get("type") == kind]

    async def results(self) -> list[str]:
        """What tools gave back."""
        blocks = [block for line in await self.said("user") for block in line["message"]["content"]]
        return [str(block["content"]) for block in blocks if isinstance(block, dict) and block["type"] == "tool_result"]

    async def payloads(self, kind: str) -> list[dict[str, Any]]:
        """Of the session's events of one type."""
        return [payload for name, payload in await self.supervised.events(self.key) if name == f"session.{kind}"]

    async def input(self, text: str, turns: int) -> SessionStatus:
        """Waits until the session is idle again, after so many turns in all."""
        await self.supervised.input(self.key, text)
        return await self.supervised.until_turn(self.key, turns)

    async def change(self, **spec: Any) -> None:
        """Returns once the agent goes by it, as far as a running one does."""
        await self.supervised.change(self.key, spec)
        wanted = live_settings(self.supervised.seen[self.key].spec)

        async def taken() -> bool:
            stored = await self.supervised.client.jetstream().get_last_msg(STREAM, report_subject(self.key))
            return msgspec.json.decode(stored.data or b"", type=Report).live == wanted

        await self.supervised.until_true(taken)

    async def next_run(self, run: int) -> None:
        """By `lifecycle.suspend` and back, as the documentation has it."""
        await self.supervised.suspend(self.key, True)
        await self.supervised.until_state(self.key, SessionState.HIBERNATED)
        await self.supervised.suspend(self.key, False)
        await self.supervised.until_state(self.key, SessionState.IDLE, run=run)

    def requests(self) -> list[dict[str, Any]]:
        """Of turns, as the model got them; not of what the CLI asks beside them."""
        bodies = [json.loads(r.body) for r in self.model.requests if r.path == "/v1/messages"]
        return [body for body in bodies if body.get("tools")]


type MakeSeen = Callable[..., Any]


@pytest.fixture
def make_seen(supervised: Supervised, recorder: Callable[[], Recorder]) -> MakeSeen:
    """`async with make(query=…, **spec) as seen`."""

    @asynccontextmanager
    async def made(environment: Mapping[str, str] = {}, **spec: Any) -> AsyncIterator[Seen]:
        model = recorder()
        variables = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "demo", **environment}
        settings = dataclasses.replace(supervised.settings, claude=cli_path(), cli_environment=variables)
        async with supervising(settings):
            yield Seen(dataclasses.replace(supervised, settings=settings), await supervised.create(**spec), model)

    return made
