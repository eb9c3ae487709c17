"""The operator before an API server without a node: hundreds of sessions, and sessions as the schema allows them."""

import asyncio
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.bare_kube import BareKube
from tests.support.kube_operator import KubeOperator, Objects
from tests.support.many_sessions import KINDS, ManySessions, cpu_seconds, many_sessions, memory_mib, scraped
from tests.support.own_nats import OwnNats
from tests.support.ports import free_port
from tests.support.random_specs import specs

#: Of each a claim, a Secret and a pod too. More by hand: JELMORE_TEST_SESSIONS=3000.
SESSIONS = int(os.environ.get("JELMORE_TEST_SESSIONS", "500"))
_LIMIT_S = 120 + 0.2 * SESSIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(100 + 3 * _LIMIT_S)]

_IDLE_S = 30.0
#: Requests of an operator at rest in half a minute, however many sessions there are: now and then a list of each kind.
_MOST_AT_REST = 6
_CANARY = "canary-of-an-mcp-server"


async def test_hundreds_of_sessions_come_rest_and_go(
    bare_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, operator_bus: OwnNats
) -> None:
    port = free_port()
    bare_operator.environment["JELMORE_OPERATOR_METRICS_PORT"] = str(port)
    operator = await bare_operator.start()
    async with many_sessions(bare_kube, operator_bus, bare_objects.namespace) as many:
        clock = asyncio.get_running_loop().time
        began, before = clock(), bare_kube.request_count()
        await many.create((f"s{number}", {"query": "hello"}) for number in range(SESSIONS))
        for kind in KINDS:
            await many.until_count(kind, SESSIONS, _LIMIT_S)
        made = clock() - began
        await many.run()

        async def idle() -> bool:
            return (await scraped(port)).get("sessions idle") == SESSIONS

        await many.until(idle, _LIMIT_S)
        asked = bare_kube.requests(before)
        print(f"{SESSIONS} sessions made in {made:.1f} s, idle after {clock() - began:.1f} s")
        print(f"operator: {cpu_seconds(operator.pid):.1f} s CPU, {memory_mib(operator.pid):.0f} MiB")
        print(f"requests: {asked.total() / SESSIONS:.2f} a session: {dict(asked)}")
        await at_rest(bare_kube, port)
        began = clock()
        await many.delete()
        for kind in KINDS:
            await many.until_count(kind, 0, _LIMIT_S)
        print(f"gone in {clock() - began:.1f} s")
        assert (await scraped(port))["sessions idle"] == 0
    assert operator.returncode is None


async def at_rest(kube: BareKube, port: int) -> None:
    """What is asked of the API server while nothing happens."""

    async def settled() -> bool:
        before = kube.request_count()
        await asyncio.sleep(2)
        return not kube.requests(before) and (await scraped(port))["queue_depth"] == 0

    async with asyncio.timeout(60):
        while not await settled():
            pass
    before = kube.request_count()
    await asyncio.sleep(_IDLE_S)
    asked = kube.requests(before)
    print(f"at rest, {_IDLE_S:.0f} s: {dict(asked)}")
    assert asked.total() <= _MOST_AT_REST


async def test_whatever_the_schema_allows_reaches_a_state(
    bare_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, operator_bus: OwnNats
) -> None:
    operator = await bare_operator.start()
    async with many_sessions(bare_kube, operator_bus, bare_objects.namespace) as many:
        secret = {"mcpServers": {"x": {"command": "c", "env": {"TOKEN": _CANARY}}}}
        await many.create([("canary", secret)])
        drawn = await asyncio.to_thread(_drawn)
        taken = 1 + sum([(await many.post(f"r{number}", spec)).is_success for number, spec in enumerate(drawn)])
        print(f"{taken} of {len(drawn)} were taken")
        assert taken > len(drawn) / 4
        try:
            await many.until(lambda: none_without_a_state(many), 60)
        except TimeoutError:
            raise AssertionError(f"no state: {await without_a_state(many)}") from None
        states = Counter(each.get("status", {}).get("state") for each in await many.all("claudesessions"))
        print(dict(states))
        assert operator.returncode is None
        retaining = {each["metadata"]["uid"] for each in await many.all("claudesessions") if _retains(each["spec"])}
        claims = await many.all("persistentvolumeclaims")
        kept = {each["metadata"]["uid"] for each in claims if _owner(each) in retaining}
        await many.delete()
        for kind in KINDS:
            await many.until_left(kind, kept if kind == "persistentvolumeclaims" else set(), 180)
    assert operator.returncode is None
    log = bare_operator.log.read_text()
    assert _CANARY not in log
    assert [line for line in bare_operator.logged() if "exception" in line] == []


async def none_without_a_state(many: ManySessions) -> bool:
    return await without_a_state(many) == []


async def without_a_state(many: ManySessions) -> list[dict[str, Any]]:
    """Specs of those that have neither a pod nor a word about why there is none."""
    pods = {owner["uid"] for pod in await many.all("pods") for owner in pod["metadata"]["ownerReferences"]}
    sessions = await many.all("claudesessions")
    waiting = [each for each in sessions if each["metadata"]["uid"] not in pods]
    return [each["spec"] for each in waiting if not _said(each.get("status", {}))]


def _retains(spec: dict[str, Any]) -> bool:
    return bool(spec["workspace"]["retain"])


def _owner(document: dict[str, Any]) -> str:
    """Its uid."""
    (owner,) = document["metadata"]["ownerReferences"]
    return str(owner["uid"])


def _said(status: dict[str, Any]) -> bool:
    return bool(status.get("message")) or status.get("state") in ("hibernated", "failed")


def _drawn() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
    @given(specs())
    def draw(spec: dict[str, Any]) -> None:
        found.append(spec)

    draw()
    return found
