"""The operator that works is killed in the middle of a turn: the turn goes on, and another one takes over."""

import json
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.own_nats import OwnNats
from tests.support.scripts import say, script
from tests.support.told import told

pytestmark = [pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(240)]

_READY = 60.0
_TAKEN_OVER = 20.0


async def test_a_failover_cuts_no_turn(
    session_operator: KubeOperator,
    objects: Objects,
    kubectl: Callable[..., str],
    own_namespace: str,
    operator_bus: OwnNats,
    demo_model: str,
    reachable: Callable[[int], str],
) -> None:
    model = f"http://{reachable(urlsplit(demo_model).port or 0)}"
    session_operator.environment["JELMORE_ANTHROPIC_BASE_URL"] = model
    kubectl("-n", objects.namespace, "create", "secret", "generic", "claude-credentials", "--from-literal=oauthToken=x")
    first = await session_operator.start()

    def holder() -> str:
        leases = json.loads(kubectl("-n", own_namespace, "get", "leases", "-o", "json"))["items"]
        return str(leases[0]["spec"]["holderIdentity"]) if leases else ""

    await until(lambda: holder() != "")
    before = holder()
    await session_operator.start()
    query = script(say("slow", chars=4000, deltas=300, delay_ms=100))
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace, query=query))
    await until(lambda: objects.status().get("state") == "active", _READY)
    first.kill()
    killed = time.monotonic()
    await until(lambda: holder() not in ("", before), _TAKEN_OVER)
    print(f"taken over after {time.monotonic() - killed:.1f} s")
    assert objects.status()["state"] == "active"
    await until(lambda: objects.status().get("state") == "idle", _READY)
    assert objects.status()["run"] == 1
    events = await told(operator_bus)
    changes = [event["payload"]["to"] for event in events if event["event_type"] == "session.state_changed"]
    assert changes == ["active", "idle"]
    assert len({event["id"] for event in events}) == len(events)
    counted = Counter(event["event_type"] for event in events)
    assert (counted["session.created"], counted["session.turn_completed"], counted["session.error"]) == (1, 1, 0)
