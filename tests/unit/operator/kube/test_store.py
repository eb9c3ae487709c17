"""What is kept of what is seen: the last of each, whatever the order in which it comes."""

from typing import Any

import pytest

from jelmore_contract.resource import SessionSpec
from jelmore_contract.subjects import SessionKey
from jelmore_operator.kube.api import Listed
from jelmore_operator.kube.store import Name, Store
from tests.support.observations import SESSION_ID, ago, resource
from tests.support.pods import at, seen_pod, seen_session

KEY = SessionKey("default", SESSION_ID)
OTHER = "7ba7b810-9dad-41d1-80b4-00c04fd430c8"


@pytest.fixture
def changed() -> list[SessionKey]:
    return []


@pytest.fixture
def store(changed: list[SessionKey]) -> Store:
    return Store(changed.append)


def test_a_session_is_found_by_its_id_with_what_is_its(store: Store, changed: list[SessionKey]) -> None:
    store.sessions.put(seen_session())
    store.pods.put(seen_pod())
    found = store.resource(KEY)
    assert found is not None
    assert found.metadata.name == "a"
    assert store.pod(found) == seen_pod()
    assert store.claim(found) is None
    assert changed == [KEY, KEY]


def test_what_is_older_than_what_is_known_is_left(store: Store, changed: list[SessionKey]) -> None:
    store.pods.put(seen_pod("Running", version=10))
    store.pods.put(seen_pod("Pending", version=9))
    store.pods.put(seen_pod("Running", version=10))
    store.pods.remove(seen_pod(version=9))
    assert store.pod(resource()) == seen_pod("Running", version=10)
    assert changed == [KEY]
    store.pods.remove(seen_pod(version=11))
    assert store.pod(resource()) is None


def test_an_answer_that_comes_after_the_end_was_told_brings_nothing_back(store: Store) -> None:
    store.pods.put(seen_pod(version=10))
    store.pods.remove(seen_pod(version=12))
    store.pods.put(seen_pod(version=11))
    store.pods.put(seen_pod(version=12))
    assert store.pod(resource()) is None
    store.pods.put(seen_pod(version=13, age=5))  # another of its name
    assert store.pod(resource()) is not None


def test_versions_are_numbers(store: Store) -> None:
    store.pods.put(seen_pod("Pending", version=9))
    store.pods.put(seen_pod("Running", version=10))
    found = store.pod(resource())
    assert found is not None
    assert found["status"]["phase"] == "Running"


def test_a_list_takes_ghosts_away_and_leaves_what_came_after_it(store: Store, changed: list[SessionKey]) -> None:
    store.sessions.put(seen_session("ghost", 5, uid=OTHER))
    store.sessions.put(seen_session("new", 30))
    changed.clear()
    store.sessions.replace(Listed(20, [seen_session("listed", 8, uid="8ba7b810-9dad-41d1-80b4-00c04fd430c8")]), None)
    names = {key: found.metadata.name for key in store.known() if (found := store.resource(key))}
    assert sorted(names.values()) == ["listed", "new"]
    assert SessionKey("default", OTHER) in changed


def test_a_list_of_one_namespace_says_nothing_of_others(store: Store) -> None:
    store.sessions.put(seen_session())
    store.sessions.replace(Listed(20, []), "elsewhere")
    assert store.resource(KEY) is not None
    store.sessions.replace(Listed(20, []), "default")
    assert store.resource(KEY) is None


def test_of_two_with_one_id_the_older_has_it(store: Store) -> None:
    restored = seen_session("restored", 2, uid=OTHER, creationTimestamp=at(ago(10)))
    restored["spec"] = {"sessionId": SESSION_ID}
    store.sessions.put(restored)
    assert _name(store) == "restored"
    store.sessions.put(seen_session())
    assert _name(store) == "a"
    assert [each.metadata.name for each in store.turned_away(KEY)] == ["restored"]
    store.sessions.remove(seen_session(version=3))
    assert _name(store) == "restored"
    assert store.turned_away(KEY) == []


def _name(store: Store) -> str:
    found = store.resource(KEY)
    assert found is not None
    return found.metadata.name


@pytest.mark.parametrize("nonsense", [{"permissionMode": "a-secret"}, {"workspace": {"path": 3}}])
def test_what_is_no_session_is_left_aside(
    store: Store, nonsense: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store.sessions.put(seen_session())
    store.sessions.put({**seen_session(version=2), "spec": nonsense})
    assert store.resource(KEY) is None
    assert store.known() == []
    assert store.sessions.get(Name("default", "a")) is not None
    assert "a-secret" not in caplog.text


def test_a_session_of_a_newer_definition_is_one(store: Store) -> None:
    workspace = {"ofTheFuture": {"a": "default"}}
    store.sessions.put({**seen_session(), "spec": {"ofTheFuture": True, "model": "opus", "workspace": workspace}})
    found = store.resource(KEY)
    assert found is not None
    assert found.spec == SessionSpec(model="opus")
