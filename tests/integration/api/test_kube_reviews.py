"""What becomes of a token, and what is made of the answers about it."""

import logging
from typing import Any

import pytest

from jelmore_api.auth.kubernetes import Attempt, Caller, Reviews
from jelmore_api.cluster.client import Cluster
from jelmore_api.errors import Problem
from jelmore_contract.errors import ProblemType
from tests.support.stand_in_kube import StandInKube

TOKEN = "hunter2-token"
USER: dict[str, Any] = {"username": "u", "uid": "1", "groups": ["g"], "extra": {"k": ["v"]}}
CALLER = Caller("u", "1", ("g",), (("k", ("v",)),))
ATTEMPT = Attempt("get", "jelmore.dev", "claudesessions", "a")


@pytest.fixture
def reviews(stand_in_cluster: Cluster) -> Reviews:
    return Reviews(stand_in_cluster, "jelmore")


async def kind_of_refusal(reviews: Reviews) -> ProblemType:
    with pytest.raises(Problem) as caught:
        await reviews.caller([f"Bearer {TOKEN}"])
    assert TOKEN not in str(caught.value.document())
    return caught.value.kind


async def test_who_a_caller_is(reviews: Reviews, stand_in_kube: StandInKube) -> None:
    stand_in_kube.reviewed = {"authenticated": True, "audiences": ["jelmore"], "user": USER}
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        assert await reviews.caller([header]) == CALLER
    assert stand_in_kube.asked == ["POST tokenreviews"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"authenticated": False, "error": "expired"},
        {"authenticated": True, "user": USER},  # by a server that knows no audiences
        {"authenticated": True, "audiences": ["https://kubernetes.default.svc"], "user": USER},
    ],
)
async def test_who_is_not_let_in(answer: dict[str, Any], reviews: Reviews, stand_in_kube: StandInKube) -> None:
    stand_in_kube.reviewed = answer
    assert await kind_of_refusal(reviews) == ProblemType.UNAUTHORIZED


@pytest.mark.parametrize("headers", [[], [""], ["Bearer"], ["Bearer "], ["Basic x"], [f"Bearer {TOKEN}"] * 2])
async def test_what_is_no_token_is_not_asked_about(
    headers: list[str], reviews: Reviews, stand_in_kube: StandInKube
) -> None:
    with pytest.raises(Problem):
        await reviews.caller(headers)
    assert stand_in_kube.asked == []


@pytest.mark.parametrize("status", [403, 404, 500, 401])
async def test_a_review_that_fails_lets_nobody_in(status: int, reviews: Reviews, stand_in_kube: StandInKube) -> None:
    stand_in_kube.refusals = {
        "POST tokenreviews": [(status, {})],
        "POST subjectaccessreviews": [(status, {})],
    }
    assert await kind_of_refusal(reviews) == ProblemType.UNAVAILABLE
    with pytest.raises(Problem) as caught:
        await reviews.allows(CALLER, ATTEMPT)
    assert caught.value.kind == ProblemType.UNAVAILABLE


async def test_what_a_caller_may(reviews: Reviews, stand_in_kube: StandInKube) -> None:
    for answer, allowed in (({"allowed": True}, True), ({"allowed": False, "denied": True}, False), ({}, False)):
        stand_in_kube.reviewed = answer
        assert await reviews.allows(CALLER, ATTEMPT._replace(namespace=f"n-{allowed}-{len(answer)}")) == allowed


async def test_no_token_in_any_log(
    reviews: Reviews, stand_in_kube: StandInKube, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stand_in_kube.reviewed = {"authenticated": True, "audiences": ["jelmore"], "user": USER}
    await reviews.caller([f"Bearer {TOKEN}"])
    stand_in_kube.refusals["POST tokenreviews"] = [(403, {})]
    with pytest.raises(Problem):
        await reviews.caller([f"Bearer {TOKEN}2"])
    assert caplog.records
    assert TOKEN not in caplog.text
    assert "own-token" not in caplog.text
    assert TOKEN not in repr(vars(reviews))
