"""A cluster's store, through all that an API server may do to whoever watches it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from jelmore_api.cluster.client import Cluster
from jelmore_api.errors import Problem
from jelmore_api.resources.kube import KubeStore
from jelmore_api.resources.store import NewSession
from jelmore_contract.errors import ProblemType
from jelmore_contract.resource import SessionSpec
from tests.support.api import until
from tests.support.stand_in_kube import StandInKube

LISTED, WATCHED = "GET claudesessions", "GET claudesessions from "


@pytest.fixture
async def store(stand_in_cluster: Cluster) -> AsyncIterator[KubeStore]:
    made = KubeStore(stand_in_cluster, [])
    watching = asyncio.create_task(made.watch())
    yield made
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def names(store: KubeStore) -> list[str]:
    return sorted(stored.resource.metadata.name for stored in await store.all())


async def comes_to(store: KubeStore, *wanted: str) -> None:
    async def reached() -> bool:
        return store.problem is None and await names(store) == sorted(wanted)

    await until(reached)


def lists(kube: StandInKube) -> int:
    """How often all was listed, whatever the pages."""
    return sum(asked == LISTED for asked in kube.asked)


async def test_a_list_of_many_pages_then_what_comes(store: KubeStore, stand_in_kube: StandInKube) -> None:
    uids = [stand_in_kube.put(f"s-{number}") for number in range(5)]
    await comes_to(store, *(f"s-{number}" for number in range(5)))
    stand_in_kube.delete(uids[0])
    stand_in_kube.put("new")
    await comes_to(store, "new", *(f"s-{number}" for number in range(1, 5)))
    assert lists(stand_in_kube) == 3  # pages


async def test_before_the_first_list_nothing_is_known(store: KubeStore, stand_in_kube: StandInKube) -> None:
    stand_in_kube.refusals["GET claudesessions"] = [(500, {}), (403, {}), (401, {})]
    with pytest.raises(Problem) as caught:
        await store.get("x")
    assert caught.value.kind == ProblemType.UNAVAILABLE
    await until(lambda: (store.problem or "").startswith("The Kubernetes API refuses to list or watch claudesessions"))
    await comes_to(store)


async def test_after_a_lost_connection_it_goes_on_from_where_it_was(
    store: KubeStore, stand_in_kube: StandInKube
) -> None:
    stand_in_kube.put("one")
    await comes_to(store, "one")
    stand_in_kube.bookmark()
    stand_in_kube.put("two", query="x" * 100_000)  # an event of many pieces
    await comes_to(store, "one", "two")
    stand_in_kube.hang_up()
    await until(lambda: len([asked for asked in stand_in_kube.asked if asked.startswith(WATCHED)]) == 2)
    stand_in_kube.put("three")
    await comes_to(store, "one", "two", "three")
    assert lists(stand_in_kube) == 1
    assert stand_in_kube.asked[-1] == f"{WATCHED}13"


@pytest.mark.parametrize("while_it_watches", [False, True])
async def test_what_was_forgotten_is_listed_again(
    store: KubeStore, stand_in_kube: StandInKube, while_it_watches: bool
) -> None:
    gone = stand_in_kube.put("gone")
    stand_in_kube.put("kept")
    await comes_to(store, "gone", "kept")
    stand_in_kube.delete(gone, silently=True)
    stand_in_kube.forget()
    if while_it_watches:
        stand_in_kube.say({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})
    else:
        stand_in_kube.hang_up()
    await comes_to(store, "kept")
    assert lists(stand_in_kube) == 2


async def test_a_busy_server_is_asked_again_when_it_says_so(store: KubeStore, stand_in_kube: StandInKube) -> None:
    await comes_to(store)
    stand_in_kube.refusals["POST claudesessions"] = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]
    made = await store.create(NewSession("a", "one", SessionSpec(query="hi")))
    assert made.stored.resource.spec.query == "hi"
    assert stand_in_kube.asked.count("POST claudesessions") == 3
    for refusal in ((429, {"Retry-After": "60"}), (429, {}), (500, {}), (401, {})):
        stand_in_kube.refusals["POST claudesessions"] = [refusal]
        with pytest.raises(Problem) as caught:
            await store.create(NewSession("a", "two", SessionSpec()))
        assert caught.value.kind == ProblemType.UNAVAILABLE, refusal
    await comes_to(store, "one")


async def test_what_was_made_is_known_before_the_watch_tells(store: KubeStore, stand_in_kube: StandInKube) -> None:
    await comes_to(store)
    stand_in_kube.late = True
    made = await store.create(NewSession("a", None, SessionSpec()))
    assert await store.get(made.stored.resource.session_id) == made.stored
