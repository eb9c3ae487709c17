"""Sessions that are asked one thing after the other, and watched from their start, while somebody kills what they run
on; and what must hold of them afterwards.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jelmore import AsyncSession, JelmoreError
from jelmore.events import Event, InputChanged, Output, StateChanged
from tests.support.processes import eventually
from tests.support.scripts import bash, say, script

#: One long run of it: seconds of killing; the seed says who is killed, and when.
SECONDS = float(os.environ.get("JELMORE_CHAOS_SECONDS", "20"))
SEEDS = [int(os.environ["JELMORE_CHAOS_SEED"])] if "JELMORE_CHAOS_SEED" in os.environ else [1, 2]
#: Seconds that all of it may take to come to rest once nobody kills any more.
REST_LIMIT = 120.0


@dataclass
class Watched:
    """A session, what is asked of it, and what somebody who watches it from its start is told."""

    session: AsyncSession
    seen: list[Event] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    lost: int = 0  # connections of the stream

    async def watch(self) -> None:
        async for event in self.session.stream(on_lost=self._count):
            self.seen.append(event)

    def _count(self) -> None:
        self.lost += 1

    async def feed(self, stop: asyncio.Event) -> None:
        """One input after the other, each sent under its own key until somebody takes it."""
        number = 0
        while not stop.is_set():
            number += 1
            prompt = script(bash(f"echo {number} >> done.txt"), say(f"Done {number}."), words=f"Input {number}:")
            receipt = None
            while receipt is None:
                with contextlib.suppress(JelmoreError):
                    receipt = await self.session.send(prompt, key=f"input-{number}")
                await asyncio.sleep(0.05)
            self.inputs.append(receipt.input_id)
            while receipt.input_id not in self.states_of("completed", "failed", "cancelled"):
                if self.state == "failed":  # it was killed too often for it to be tried again without being asked
                    with contextlib.suppress(JelmoreError):
                        await self.session.retry()
                await asyncio.sleep(0.05)

    @property
    def state(self) -> str:
        changes = (event.payload["to"] for event in reversed(self.seen) if isinstance(event, StateChanged))
        return str(next(changes, "pending"))

    def states_of(self, *states: str) -> Counter[str]:
        """How often each input reached one of them."""
        changes = [event.payload for event in self.seen if isinstance(event, InputChanged)]
        return Counter(change["input_id"] for change in changes if change["state"] in states)

    async def check(self, spool: Sequence[bytes], done: str) -> None:
        """At rest: nothing was lost, doubled or reordered, and each input ran once.

        spool: what the CLI printed in all runs, line by line. done: the text of `done.txt`.
        """
        stored = [event async for event in self.session.export()]
        seqs = [event.seq for event in stored]
        assert seqs == sorted(set(seqs))
        assert len({event.body["id"] for event in stored}) == len(stored)

        async def seen_all() -> bool:
            return bool(self.seen) and self.seen[-1].seq >= seqs[-1]

        # Who watched all the time was told the same as who asks afterwards.
        await eventually(seen_all)
        assert [event.text for event in self.seen[: len(stored)]] == [event.text for event in stored]
        paged = [event.body async for event in self.session.events()]
        assert paged[: len(stored)] == [event.body for event in stored]
        said = [await self.session.content(event) for event in stored if isinstance(event, Output)]
        assert said == list(spool)
        # A turn that was cut goes on: what Claude did before may be done again, what it was asked is not asked again.
        assert set(done.split()) == {str(number) for number in range(1, len(self.inputs) + 1)}
        assert self.states_of("queued") == self.states_of("completed") == Counter(self.inputs)
        assert self.states_of("failed", "cancelled") == Counter()
        changes = [event.payload for event in stored if isinstance(event, StateChanged)]
        for before, after in pairwise(changes):
            # An agent goes on from the state that it had itself, whatever rest it was put to since.
            rested = before["to"] in ("hibernated", "failed") or after["to"] == "pending"
            assert after["from"] == before["to"] or rested, (before, after)


async def work_through(
    sessions: Sequence[Watched], killing: Awaitable[None], check: Callable[[Watched], Awaitable[None]]
) -> None:
    """Feeds and watches the sessions while somebody kills, lets them come to rest, and checks each."""
    stop = asyncio.Event()
    watching = [asyncio.create_task(one.watch()) for one in sessions]
    feeding = [asyncio.create_task(one.feed(stop)) for one in sessions]
    try:
        await killing
        stop.set()
        async with asyncio.timeout(REST_LIMIT):
            await asyncio.gather(*feeding)
            for one in sessions:
                await one.session.wait("idle", "hibernated")
        print(f"inputs: {[len(one.inputs) for one in sessions]}, streams lost: {[one.lost for one in sessions]}")
        for one in sessions:
            await check(one)
    finally:
        for task in (*watching, *feeding):
            task.cancel()
        await asyncio.gather(*watching, *feeding, return_exceptions=True)
