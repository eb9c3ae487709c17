"""How the operator ends and where it looks: asked to stop with work in hand, in one namespace, in some, in all."""

import asyncio
import json

from tests.support.bare_kube import BareKube
from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.kube_proxy import Fault, KubeProxy


def create(kube: BareKube, namespace: str, name: str = "a") -> None:
    kube.kubectl("apply", "-f", "-", input=session_manifest(namespace, name))


def holder(kube: BareKube, namespace: str) -> str:
    leases = json.loads(kube.kubectl("-n", namespace, "get", "leases", "-o", "json"))["items"]
    return str(leases[0]["spec"]["holderIdentity"]) if leases else ""


async def test_what_is_in_hand_is_finished_and_the_next_one_takes_over_at_once(
    faulty_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects, bare_proxy: KubeProxy
) -> None:
    begun = asyncio.Event()

    def slow_pod(method: str, path: str) -> Fault | None:
        if method != "POST" or "/pods?" not in path:
            return None
        begun.set()
        return Fault(delay=3.0)

    bare_proxy.fault = slow_pod
    first = await faulty_operator.start()
    await until(lambda: holder(bare_kube, bare_objects.namespace) != "")
    second = await faulty_operator.start()
    await until(lambda: any("another operator holds" in line["message"] for line in faulty_operator.logged()))
    create(bare_kube, bare_objects.namespace)
    await asyncio.wait_for(begun.wait(), 30)
    before = holder(bare_kube, bare_objects.namespace)
    first.terminate()
    assert await asyncio.wait_for(first.wait(), 20) == 0
    assert len(bare_objects.all("pods")) == 1
    await until(lambda: holder(bare_kube, bare_objects.namespace) not in ("", before), 10)
    create(bare_kube, bare_objects.namespace, "b")
    await until(lambda: len(bare_objects.all("pods")) == 2)
    # Nothing of the first was done again, and nothing failed.
    assert len([write for write in bare_proxy.writes if write.startswith("POST") and write.endswith("/pods")]) == 2
    assert [line for line in faulty_operator.logged() if "failed" in line["message"]] == []
    second.terminate()
    assert await asyncio.wait_for(second.wait(), 20) == 0


async def test_it_sees_the_namespaces_that_it_is_told_or_all(
    bare_operator: KubeOperator, bare_kube: BareKube, bare_objects: Objects
) -> None:
    places = [bare_objects, *(Objects(bare_kube.kubectl, bare_kube.namespace()) for _ in range(2))]
    first, second, third = (each.namespace for each in places)
    for scope, seen in ((first, 1), (f"{first},{second}", 2), ("", 3)):
        bare_operator.environment["JELMORE_NAMESPACES"] = scope
        for place in places[: seen + 1]:
            create(bare_kube, place.namespace)
        operator = await bare_operator.start()
        for place in places[:seen]:
            await until(lambda place=place: len(place.all("pods")) == 1)  # type: ignore[misc]  # this place's own
        # By its watch too, not by its first list alone.
        create(bare_kube, places[seen - 1].namespace, f"later{seen}")
        await until(lambda seen=seen: len(places[seen - 1].all("pods")) == 2)  # type: ignore[misc]
        assert [place.all("pods") for place in places[seen:]] == [[]] * (3 - seen)
        bare_kube.kubectl("-n", places[seen - 1].namespace, "delete", "claudesession", f"later{seen}")
        operator.terminate()
        assert await asyncio.wait_for(operator.wait(), 20) == 0
    assert third
