"""The operator while the API server fails it: away, slow, forgetful, in conflict, too busy. It comes to the same end,
and nothing is there twice.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.bare_kube import BareKube
from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.kube_proxy import Fault, KubeProxy
from tests.support.own_nats import OwnNats
from tests.support.told import told

ONE = {"pods": 1, "pvc": 1, "secrets": 1, "claudesessions": 1}


def kinds(objects: Objects) -> dict[str, int]:
    return {kind: len(objects.all(kind)) for kind in ONE}


def names_of(objects: Objects, kind: str) -> set[str]:
    """Of the sessions that have one."""
    return {each["metadata"]["name"].removeprefix("claude-") for each in objects.all(kind)}


def create(kube: BareKube, objects: Objects, name: str = "a", **spec: Any) -> None:
    """Without the proxy."""
    kube.kubectl("apply", "-f", "-", input=session_manifest(objects.namespace, name, **spec))


def is_write(method: str, path: str) -> bool:
    return method != "GET" and "/leases" not in path and "/events" not in path


@pytest.mark.parametrize("status", [409, 410, 429, 500, 503])
async def test_what_is_refused_for_now_is_tried_again(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy, status: int
) -> None:
    tries: dict[str, list[float]] = {}

    def refuse_once(method: str, path: str) -> Fault | None:
        if not is_write(method, path):
            return None
        tries.setdefault(path, []).append(time.monotonic())
        return Fault(status, retry_after=2 if status == 429 else None) if len(tries[path]) == 1 else None

    bare_proxy.fault = refuse_once
    operator = await faulty_operator.start()
    create(bare_kube, bare_objects)
    await until(lambda: kinds(bare_objects) == ONE)
    assert len(tries) >= 4
    assert operator.returncode is None
    if status == 429:
        # As long as it was asked to wait.
        assert min(times[1] - times[0] for times in tries.values()) >= 2


async def test_watches_that_are_refused_are_begun_again(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    refused: list[str] = []

    def refuse(method: str, path: str) -> Fault | None:
        if "watch=true" not in path or len(refused) == 9:
            return None
        refused.append(path)
        return Fault(403)

    bare_proxy.fault = refuse
    operator = await faulty_operator.start()
    await until(lambda: len(refused) == 9, 60)
    create(bare_kube, bare_objects)
    await until(lambda: kinds(bare_objects) == ONE, 60)
    assert operator.returncode is None


async def test_one_watch_that_is_refused_does_not_blind_the_others(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    operator = await faulty_operator.start()
    create(bare_kube, bare_objects)
    await until(lambda: kinds(bare_objects) == ONE)
    refused: list[str] = []

    def refuse_once(method: str, path: str) -> Fault | None:
        if "watch=true" not in path or "/pods" not in path or refused:
            return None
        refused.append(path)
        return Fault(404)

    bare_proxy.fault = refuse_once
    bare_proxy.cut_all()
    await until(lambda: refused != [])
    create(bare_kube, bare_objects, "b")
    # A list of all comes every five minutes anyway: this is much sooner.
    await until(lambda: kinds(bare_objects) == dict.fromkeys(ONE, 2), 45)
    assert operator.returncode is None


async def test_what_went_while_a_watch_was_forgotten_is_missed_at_once(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    operator = await faulty_operator.start()
    for name in ("a", "b"):
        create(bare_kube, bare_objects, name)
    await until(lambda: kinds(bare_objects)["pods"] == 2)
    before = bare_objects.get("pods", "claude-a")
    bare_proxy.fault = lambda method, path: Fault(503) if "watch=true" in path else None
    bare_proxy.cut_all()
    bare_kube.kubectl("-n", bare_objects.namespace, "delete", "pod", "claude-a", "--grace-period=0")
    bare_proxy.fault = _forgotten_once()
    assert before is not None

    def again() -> bool:
        pod = bare_objects.get("pods", "claude-a")
        return pod is not None and pod["metadata"]["uid"] != before["metadata"]["uid"]

    # A list of all comes every five minutes anyway: this is much sooner.
    await until(again, 45)
    assert operator.returncode is None


def _forgotten_once() -> Callable[[str, str], Fault | None]:
    """Every place from which a watch would go on is too old, the first time."""
    seen = set[str]()

    def forget(method: str, path: str) -> Fault | None:
        if "watch=true" not in path or path in seen:
            return None
        seen.add(path)
        return Fault(410) if len(seen) <= 3 else None

    return forget


@pytest.mark.slow
async def test_an_api_server_that_is_away_for_half_a_minute(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    async with faulty_operator.kept() as codes:
        create(bare_kube, bare_objects)
        create(bare_kube, bare_objects, "gone")
        await until(lambda: kinds(bare_objects)["pods"] == 2)
        bare_proxy.go_away()
        bare_kube.kubectl("-n", bare_objects.namespace, "delete", "claudesession", "gone", "--wait=false")
        bare_kube.kubectl("-n", bare_objects.namespace, "delete", "pod", "claude-a", "--grace-period=0")
        create(bare_kube, bare_objects, "new")
        await asyncio.sleep(30)
        assert kinds(bare_objects)["pods"] == 1  # of the one that is to go
        bare_proxy.come_back()
        back = time.monotonic()
        await until(lambda: {pod["metadata"]["name"] for pod in bare_objects.all("pods")} == {"claude-a", "claude-new"})
        assert time.monotonic() - back < 20
    await until(lambda: kinds(bare_objects) == dict.fromkeys(ONE, 2))
    # It gave the Lease up in time, as it could not be sure of it, and was started again, once.
    assert codes in ([1], [1, -9])


async def test_a_server_whose_webhooks_are_slower_than_it_is_waited_for(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    slow = set[str]()

    def slow_once(method: str, path: str) -> Fault | None:
        if not is_write(method, path) or path in slow:
            return None
        slow.add(path)
        return Fault(delay=12.0 if len(slow) % 2 else 3.0)

    bare_proxy.fault = slow_once
    operator = await faulty_operator.start()
    create(bare_kube, bare_objects)
    await until(lambda: kinds(bare_objects) == ONE, 90)
    assert len(slow) >= 4
    assert operator.returncode is None


SESSIONS = 12


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_faults_at_random_come_to_the_same_end(
    faulty_operator: KubeOperator,
    bare_kube: BareKube,
    bare_objects: Objects,
    bare_proxy: KubeProxy,
    operator_bus: OwnNats,
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    met = Counter[str]()

    def fault(method: str, path: str) -> Fault | None:
        if "/leases" in path or chance.random() < 0.6:
            return None
        if "watch=true" in path:
            kind = chance.choice([Fault(410), Fault(429, retry_after=1), Fault(503), Fault(delay=1)])
        else:
            # Nothing that is read is ever in conflict.
            conflict = [] if method == "GET" else [Fault(409), Fault(lost=True)]
            kind = chance.choice([*conflict, Fault(429, retry_after=1), Fault(500), Fault(503), Fault(delay=1)])
        met[f"{kind.status or ('lost' if kind.lost else 'late')}"] += 1
        return kind

    bare_proxy.fault = fault
    names = [f"s{number}" for number in range(SESSIONS)]
    deleted, suspended = set(names[::4]), set(names[1::4])
    async with faulty_operator.kept():
        for name in names:
            create(bare_kube, bare_objects, name, query="hello")
            bare_proxy.cut_all()
            await asyncio.sleep(chance.random())
        for name in sorted(deleted):
            bare_kube.kubectl("-n", bare_objects.namespace, "delete", "claudesession", name, "--wait=false")
        for name in sorted(suspended):
            create(bare_kube, bare_objects, name, query="hello", lifecycle={"suspend": True})
        await asyncio.sleep(10)
        bare_proxy.fault = lambda method, path: None
        kept = set(names) - deleted
        await until(lambda: names_of(bare_objects, "pods") == kept - suspended, 60)
        await until(lambda: names_of(bare_objects, "claudesessions") == kept, 60)
        await until(lambda: {bare_objects.status(name).get("state") for name in suspended} == {"hibernated"}, 60)
        # What was suspended before it was ever started has none.
        await until(lambda: kept - suspended <= names_of(bare_objects, "pvc") <= kept)
        await until(lambda: kept - suspended <= names_of(bare_objects, "secrets") <= kept)
    print(f"met {dict(met)}")
    await assert_told_once(operator_bus, bare_objects)


async def assert_told_once(bus: OwnNats, objects: Objects) -> None:
    """Every session was created once, and no state changed into itself."""
    counted = Counter[tuple[str, str]]()
    states: dict[str, str] = {}
    for event in await told(bus):
        session, kind = event["session_id"], event["event_type"]
        counted[(session, kind)] += 1
        if kind == "session.state_changed":
            payload = event["payload"]
            assert payload["from"] == states.get(session, "pending") != payload["to"]
            states[session] = payload["to"]
    once = {"session.created", "session.terminated"}
    assert {number for (_, kind), number in counted.items() if kind in once} == {1}
    # One that was deleted before the operator could lay hold of it was never anything.
    created = {session for session, kind in counted if kind == "session.created"}
    assert created >= {each["metadata"]["uid"] for each in objects.all("claudesessions")}
