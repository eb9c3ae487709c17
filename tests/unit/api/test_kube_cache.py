"""What a cache of resources holds, told by lists, events and the answers to own writes, in any order."""

import asyncio
from typing import Any

import pytest

from jelmore_api.resources.kube_cache import SessionCache
from jelmore_contract.resource import SessionSpec

ONE, TWO, THREE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")


def session(uid: str, revision: int, namespace: str = "a", created: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {
        "name": f"s-{uid[0]}",
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(revision),
        "creationTimestamp": f"2026-01-01T00:00:{created:02}Z",
        "managedFields": [{}],
    }
    return {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", "metadata": metadata, "spec": spec}


def filled(*documents: dict[str, Any], position: int = 10) -> SessionCache:
    cache = SessionCache([None])
    cache.replace(None, documents, position)
    return cache


def revisions(cache: SessionCache) -> dict[str, int]:
    return {stored.uid: stored.revision for stored in cache.all()}


def bookmark(revision: int) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(revision)}}


def test_filled_once_all_scopes_are_listed() -> None:
    cache = SessionCache(["a", "b"])
    cache.replace("a", [session(ONE, 1)], 10)
    assert not cache.filled
    cache.replace("b", [], 11)
    assert cache.filled


def test_events() -> None:
    cache = filled(session(ONE, 1))
    cache.event(None, "ADDED", session(TWO, 11))
    cache.event(None, "MODIFIED", session(ONE, 12))
    assert revisions(cache) == {ONE: 12, TWO: 11}
    cache.event(None, "DELETED", session(ONE, 13))
    cache.event(None, "DELETED", session(THREE, 14))
    assert revisions(cache) == {TWO: 11}
    assert "managedFields" not in cache.all()[0].resource.metadata.model_dump()


def test_own_writes_and_the_watch_tell_in_any_order() -> None:
    cache = filled(session(ONE, 1))
    cache.told(session(ONE, 15))
    cache.event(None, "MODIFIED", session(ONE, 14))  # before the own write
    assert revisions(cache) == {ONE: 15}
    cache.event(None, "MODIFIED", session(ONE, 16))
    cache.told(session(ONE, 15))  # an answer that was long under way
    assert revisions(cache) == {ONE: 16}
    assert cache.told(session(TWO, 20)) is not None
    assert revisions(cache) == {ONE: 16, TWO: 20}


def test_the_answer_to_a_write_brings_nothing_back() -> None:
    cache = filled(session(ONE, 1))
    cache.event(None, "DELETED", session(ONE, 13))
    assert cache.told(session(ONE, 12)) is not None
    cache.event(None, "BOOKMARK", bookmark(30))
    cache.told(session(TWO, 25))  # made and deleted between two looks
    assert revisions(cache) == {}


def test_a_list_takes_away_what_is_gone_but_not_what_is_newer() -> None:
    cache = filled(session(ONE, 1), session(TWO, 2))
    cache.told(session(THREE, 25))
    cache.told(session(TWO, 21))
    cache.replace(None, [session(TWO, 2)], 20)
    assert revisions(cache) == {TWO: 21, THREE: 25}
    cache.replace(None, [], 30)
    assert revisions(cache) == {}


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    cache = SessionCache(["a", "b"])
    cache.replace("a", [session(ONE, 1)], 10)
    cache.replace("b", [session(TWO, 2, "b")], 11)
    cache.replace("a", [], 12)
    assert revisions(cache) == {TWO: 2}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_id_belongs_to_whose_uid_it_is_or_else_to_the_oldest(order: tuple[int, ...]) -> None:
    claims = [session(ONE, 1, created=9), session(TWO, 2, created=1, sessionId=ONE)]
    claims.append(session(THREE, 3, created=2, sessionId=ONE))
    cache = filled(*(claims[place] for place in order))
    owners = []
    for uid in (ONE, TWO, THREE):
        owner = cache.get(ONE)
        assert owner is not None
        owners.append(owner.uid)
        cache.event(None, "DELETED", session(uid, 20))
    assert owners == [ONE, TWO, THREE]
    assert cache.get(ONE) is None
    assert cache.ids() == set()


def test_what_cannot_be_read_hides_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    unknown = session(TWO, 2, permissionMode="hunter2")
    assert revisions(filled(unknown, session(ONE, 1))) == {ONE: 1}
    assert "spec.permissionMode" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_session_of_a_newer_definition_is_one() -> None:
    cache = filled(session(ONE, 1, model="opus", workspace={"ofTheFuture": 1}, ofTheFuture={"a": "default"}))
    assert [stored.resource.spec for stored in cache.all()] == [SessionSpec(model="opus")]


async def test_waiting_for_a_session() -> None:
    cache = filled(session(ONE, 1))
    assert await cache.appears(ONE, 0)
    assert not await cache.appears(TWO, 0.01)
    waiting = asyncio.create_task(cache.appears(TWO, 10))
    await asyncio.sleep(0)
    cache.event(None, "ADDED", session(TWO, 11))
    assert await waiting
    assert cache._awaited == {}
