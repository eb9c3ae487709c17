"""How a session is laid hold of: by whoever comes first, once."""

import pytest

from jelmore_contract.subjects import SessionKey
from jelmore_operator.kube.api import Api, ApiError, Document, Kind
from jelmore_operator.kube.names import FINALIZER
from jelmore_operator.kube.resources import Resources
from jelmore_operator.kube.store import Store
from tests.support.observations import SESSION_ID
from tests.support.pods import seen_session

KEY = SessionKey("default", SESSION_ID)


class Cluster(Api):
    """Has one session. `status`: of its refusals; 0 for none."""

    def __init__(self) -> None:
        self.patches: list[Document] = []
        self.status = 0

    async def patch(self, kind: Kind, document: Document, subresource: str = "") -> Document:
        self.patches.append(document["metadata"])
        if self.status:
            raise ApiError(self.status, "Conflict", "the object has been modified")
        return seen_session(version=2, finalizers=document["metadata"]["finalizers"])


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def store() -> Store:
    return Store(lambda key: None)


async def test_a_session_is_new_until_somebody_holds_it(cluster: Cluster, store: Store) -> None:
    resources = Resources(cluster, store)
    store.sessions.put(seen_session(finalizers=["other/one"]))
    session = store.resource(KEY)
    assert session is not None
    assert resources.is_new(session)
    assert await resources.hold(session)
    assert [patch["finalizers"] for patch in cluster.patches] == [["other/one", FINALIZER]]
    assert cluster.patches[0]["resourceVersion"] == "1"
    assert not resources.is_new(session)
    assert not await resources.hold(session)
    assert len(cluster.patches) == 1


async def test_one_that_another_has_changed_meanwhile_is_not_held(cluster: Cluster, store: Store) -> None:
    resources = Resources(cluster, store)
    store.sessions.put(seen_session())
    session = store.resource(KEY)
    assert session is not None
    cluster.status = 409
    with pytest.raises(ApiError):
        await resources.hold(session)
    assert resources.is_new(session)
