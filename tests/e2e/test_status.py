"""What kubectl shows of a session follows what happens in it."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.msg import Msg

from jelmore_local.servers import Endpoints
from tests.support.flush import flush
from tests.support.platform import Platform, resource
from tests.support.processes import eventually
from tests.support.scripts import bash, say, script

pytestmark = [pytest.mark.real_cli, pytest.mark.timeout(300)]

#: (state, when it was seen): monotonic seconds.
Seen = list[tuple[str, float]]
ASKS = bash("""python3 -c 'print("leave, please")'""")


@asynccontextmanager
async def heard(platform: Platform, endpoints: Endpoints) -> AsyncIterator[Seen]:
    """The states of this namespace's sessions, as the bus tells them."""
    states: Seen = []

    async def hear(message: Msg) -> None:
        states.append((json.loads(message.data)["payload"]["to"], time.monotonic()))

    client = await nats.connect(endpoints.nats_url, user_credentials=str(endpoints.nats_credentials))
    await client.subscribe(f"jelmore.event.{platform.namespace}.*.session.state_changed", cb=hear)
    await flush(client)
    yield states
    await client.close()


@asynccontextmanager
async def shown(platform: Platform, name: str) -> AsyncIterator[Seen]:
    """The states that `kubectl get --watch` prints for a session."""
    states: Seen = []
    command = platform.kubectl.command(
        "-n", platform.namespace, "get", "cls", name, "--watch", "-o", 'jsonpath={.status.state}{"\\n"}'
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            states.append((line.decode().strip(), time.monotonic()))

    reading = asyncio.create_task(read())
    try:
        yield states
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


def lasting(seen: Seen) -> Seen:
    """Without those that may be over before anybody could look."""
    return [(state, when) for state, when in seen if state in ("idle", "waiting_input")]


def delays(heard: Seen, shown: Seen) -> Iterator[float]:
    """From each state's event to the first time that kubectl shows it after the one before."""
    after = 0
    for state, when in heard:
        place = next((n for n in range(after, len(shown)) if shown[n][0] == state), None)
        assert place is not None, (heard, shown)
        yield shown[place][1] - when
        after = place


async def test_kubectl_shows_each_state_within_a_second_of_its_event(platform: Platform, endpoints: Endpoints) -> None:
    """States that last: `active` may be over before anybody could look."""
    async with heard(platform, endpoints) as told:
        manifest = resource("shown")  # no query: pending, idle
        await asyncio.to_thread(platform.kubectl, "apply", "-n", platform.namespace, "-f", "-", input=manifest)
        async with shown(platform, "shown") as printed:
            session = platform.get("claudesession", "shown")["metadata"]["uid"]
            await asyncio.to_thread(platform.until_state, "shown", "idle")
            path = f"/api/v1/session/{session}"
            body = {"text": script(ASKS, say("Done."))}
            (await asyncio.to_thread(platform.http.post, f"{path}/input", json=body)).raise_for_status()
            await asyncio.to_thread(platform.until_state, "shown", "waiting_input")
            asked = (await asyncio.to_thread(platform.http.get, f"{path}/approvals")).json()["items"][0]
            answer = f"{path}/approvals/{asked['approval_id']}"
            (await asyncio.to_thread(platform.http.post, answer, json={"decision": "allow"})).raise_for_status()
            await asyncio.to_thread(platform.until_state, "shown", "idle", turns=1)

            async def all_printed() -> bool:
                states = [state for state, _ in lasting(printed)]
                return "waiting_input" in states and states[-1] == "idle"

            # The watch is another process than the one that has just looked, and may be behind it.
            await eventually(all_printed)
    assert [state for state, _ in lasting(told)] == ["idle", "waiting_input", "idle"]
    assert max(delays(lasting(told), printed)) < 1.0
