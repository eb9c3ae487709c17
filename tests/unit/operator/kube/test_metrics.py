"""What the operator tells of itself, as a scrape gets it."""

import socket

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from jelmore_contract.subjects import SessionKey
from jelmore_operator.controller import Outcome
from jelmore_operator.kube.api import SESSIONS
from jelmore_operator.kube.metrics import Metrics, served
from jelmore_operator.kube.store import Store
from jelmore_operator.queue import WorkQueue
from tests.support.pods import seen_session
from tests.support.ports import free_port


def figures(text: str) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        " ".join([each.name.removeprefix("jelmore_operator_"), *each.labels.values()]): each.value
        for each in samples
        if not each.name.endswith(("_created", "_bucket", "_sum"))
    }


async def test_a_scrape() -> None:
    metrics, queue = Metrics(), WorkQueue[SessionKey]()
    store = Store(queue.add)
    metrics.look_at(queue, store)
    store.kind(SESSIONS).put(seen_session())
    metrics.reconciled(Outcome.DONE, 0.1)
    metrics.reconciled(Outcome.FAILED, 0.1)
    metrics.requested("patch", 409, 0.1)
    metrics.leader.set(1)
    port = free_port()
    async with served(metrics, port), ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
            found = figures(await response.text())
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 404
    assert {name: value for name, value in found.items() if value} == {
        "reconciles_total done": 1,
        "reconciles_total failed": 1,
        "reconcile_seconds_count": 2,
        "api_requests_total 409 patch": 1,
        "api_request_seconds_count patch": 1,
        "leader": 1,
        "queue_depth": 1,
        "queue_age_seconds": found["queue_age_seconds"],
        "sessions pending": 1,
    }
    assert found["reconciles_total waiting"] == found["sessions idle"] == 0


async def test_without_a_port_nothing_is_served_and_one_that_is_taken_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        async with served(Metrics(), None):
            pass
        with pytest.raises(OSError, match="in use"):
            async with served(Metrics(), taken.getsockname()[1]):
                pass
