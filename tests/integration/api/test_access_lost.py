"""A stream ends soon after its caller may not read the session any more; Kubernetes' answers come from a stand-in."""

import itertools

import pytest
from websockets.asyncio.client import connect

from jelmore_api.auth import recheck
from jelmore_api.auth.access import Access, Everything
from jelmore_api.auth.kubernetes import Attempt, Reviews
from jelmore_api.cluster.client import Cluster
from jelmore_api.errors import Problem
from jelmore_contract.errors import ProblemType
from tests.support.api import RunningApi, until
from tests.support.stand_in_kube import StandInKube

ACCEPT = {"Accept": "text/event-stream"}
YES = {"authenticated": True, "audiences": ["jelmore"], "user": {"username": "u"}, "allowed": True}
ATTEMPT = Attempt("get", "jelmore.dev", "claudesessions", "default")
AWAY = "POST subjectaccessreviews"


@pytest.fixture
def reviewed(
    api: RunningApi, stand_in_cluster: Cluster, stand_in_kube: StandInKube, monkeypatch: pytest.MonkeyPatch
) -> StandInKube:
    """Says of every caller what they may, which is looked at all the time."""
    reviews = Reviews(stand_in_cluster, "jelmore", itertools.count(step=100).__next__)
    stand_in_kube.reviewed = dict(YES)

    async def admit(_: list[str]) -> Access:
        if not await reviews.allows(await reviews.caller(["Bearer a-token"]), ATTEMPT):
            raise Problem(ProblemType.FORBIDDEN, "Not any more.")
        return Everything()

    monkeypatch.setattr(recheck, "INTERVAL", 0.02)
    object.__setattr__(api.services, "admit", admit)
    return stand_in_kube


async def asked_again(kube: StandInKube) -> None:
    asked = len(kube.asked)
    await until(lambda: len(kube.asked) > asked + 4)


@pytest.mark.parametrize("lost", [{"allowed": False}, {"authenticated": False}], ids=["the right", "the token"])
async def test_a_websocket_is_closed(api: RunningApi, reviewed: StandInKube, lost: dict[str, bool]) -> None:
    session_id = await api.create()
    async with connect(f"{api.ws_url}/api/v1/session/{session_id}/stream") as connection:
        await connection.recv()
        await asked_again(reviewed)
        reviewed.refusals[AWAY] = [(503, {})] * 3
        await until(lambda: not reviewed.refusals[AWAY])
        await connection.ping()
        reviewed.reviewed = {**YES, **lost}
        await connection.wait_closed()
    assert (connection.close_code, connection.close_reason) == (1008, "you may not read this session any more")


async def test_an_event_stream_ends(api: RunningApi, reviewed: StandInKube) -> None:
    session_id = await api.create()
    async with api.http.stream("GET", f"/api/v1/session/{session_id}/events", headers=ACCEPT) as response:
        texts = response.aiter_text()
        assert "stream.ready" in await anext(texts)
        await asked_again(reviewed)
        reviewed.reviewed = {**YES, "allowed": False}
        assert [text async for text in texts] == []
