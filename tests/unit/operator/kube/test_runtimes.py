"""What a start asks and makes, and in which order: a Secret never changes under a pod that lives."""

import pytest

from jelmore_bus import Access
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.controller import NotYet
from jelmore_operator.kube.api import Api, ApiError, Document, Kind
from jelmore_operator.kube.runtimes import Runtimes
from jelmore_operator.kube.settings import Bus, OperatorSettings
from jelmore_operator.kube.store import Store
from tests.support.observations import SESSION_ID, resource
from tests.support.pods import SETTINGS, seen_pod

KEY = SessionKey("default", SESSION_ID)
MAKES = ["apply persistentvolumeclaims", "apply secrets", "create pods"]


class Cluster(Api):
    """Takes everything, and has one pod at most. `lost`: what it takes, but does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pod: Document | None = None
        self.lost = ""

    async def get(self, kind: Kind, namespace: str, name: str) -> Document | None:
        self.asked.append(f"get {kind.plural}")
        return self.pod

    async def apply(self, kind: Kind, document: Document) -> Document:
        return self._taken(f"apply {kind.plural}", document)

    async def create(self, kind: Kind, document: Document) -> Document:
        self.pod = seen_pod()
        return self._taken(f"create {kind.plural}", document)

    def _taken(self, what: str, document: Document) -> Document:
        self.asked.append(what)
        if what == self.lost:
            raise ApiError(0, "ServerDisconnectedError", "the API server cannot be reached")
        metadata = {**document["metadata"], "uid": "u", "resourceVersion": "1"}
        return {**document, "metadata": metadata}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def store() -> Store:
    return Store(lambda key: None)


@pytest.fixture
def runtimes(cluster: Cluster, store: Store) -> Runtimes:
    bus = Bus(Access("nats://nats:4222"), "nats://nats:4222", shared="credentials")
    return Runtimes(cluster, OperatorSettings("jelmore", (), bus, SETTINGS), store)


@pytest.fixture
def session() -> ClaudeSession:
    return resource()


async def test_the_first_start_of_a_session_asks_for_nothing(
    runtimes: Runtimes, cluster: Cluster, session: ClaudeSession
) -> None:
    runtimes.add_new(KEY)
    await runtimes.start(session, None, fresh=True)
    assert cluster.asked == MAKES


async def test_any_other_start_asks_first_whether_there_is_a_pod(
    runtimes: Runtimes, cluster: Cluster, session: ClaudeSession
) -> None:
    await runtimes.start(session, None, fresh=True)
    assert cluster.asked == ["get pods", *MAKES]


async def test_a_start_whose_answer_was_lost_leaves_the_secret_of_its_pod_alone(
    runtimes: Runtimes, cluster: Cluster, session: ClaudeSession
) -> None:
    runtimes.add_new(KEY)
    cluster.lost = "create pods"
    with pytest.raises(ApiError):
        await runtimes.start(session, None, fresh=True)
    with pytest.raises(NotYet):
        await runtimes.start(session, None, fresh=True)
    assert cluster.asked == [*MAKES, "get pods"]


async def test_a_pod_that_an_earlier_session_of_the_name_has_left_is_waited_for(
    runtimes: Runtimes, cluster: Cluster, store: Store, session: ClaudeSession
) -> None:
    cluster.pod = seen_pod()
    store.pods.put(cluster.pod)
    runtimes.add_new(KEY)
    with pytest.raises(NotYet):
        await runtimes.start(session, None, fresh=True)
    assert cluster.asked == ["get pods"]
