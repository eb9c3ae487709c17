"""All that a bus' log tells, in its order."""

import json
from typing import Any

from nats.js.errors import NotFoundError

from jelmore_contract.subjects import STREAM
from tests.support.own_nats import OwnNats


async def told(bus: OwnNats) -> list[dict[str, Any]]:
    """Events of all sessions: no commands, and no agents' reports, each of which replaces the one before."""
    client = await bus.connect()
    events, seq = [], 1
    try:
        while True:
            message = await client.jetstream().get_msg(STREAM, seq, subject="jelmore.event.>", next=True)
            events.append(json.loads(message.data or b""))
            seq = (message.seq or seq) + 1
    except NotFoundError:
        return events
    finally:
        await client.close()
