"""What the operator counts, for Prometheus: no session's name is in it, and nothing that a session said."""

from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from jelmore_contract.states import SessionState
from jelmore_contract.subjects import SessionKey
from jelmore_operator.controller import Outcome
from jelmore_operator.kube.store import Store
from jelmore_operator.queue import WorkQueue

_PASS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30)
_REQUEST = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


class Metrics:
    """In a registry of its own."""

    def __init__(self) -> None:
        to = self._registry = CollectorRegistry()
        what = "Looks at one session, by how they ended: done, waiting for something to end, failed."
        self._reconciles = Counter("jelmore_operator_reconciles", what, ["outcome"], registry=to)
        what = "Seconds of a look at one session."
        self._seconds = Histogram("jelmore_operator_reconcile_seconds", what, registry=to, buckets=_PASS)
        what = "Requests to the API server, watches aside; code 0: no answer."
        self._requests = Counter("jelmore_operator_api_requests", what, ["verb", "code"], registry=to)
        what = "Seconds until the API server has answered."
        self._request_seconds = Histogram(
            "jelmore_operator_api_request_seconds", what, ["verb"], registry=to, buckets=_REQUEST
        )
        what = "1 for the one that holds the Lease and works, 0 for those that wait."
        self.leader = Gauge("jelmore_operator_leader", what, registry=to)
        for outcome in Outcome:
            self._reconciles.labels(outcome)

    def look_at(self, queue: WorkQueue[SessionKey], store: Store) -> None:
        self._registry.register(_Now(queue, store))

    def reconciled(self, outcome: Outcome, seconds: float) -> None:
        self._reconciles.labels(outcome).inc()
        self._seconds.observe(seconds)

    def requested(self, verb: str, code: int, seconds: float) -> None:
        self._requests.labels(verb, str(code)).inc()
        self._request_seconds.labels(verb).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Now(Collector):
    """What is not counted but there."""

    def __init__(self, queue: WorkQueue[SessionKey], store: Store) -> None:
        self._queue = queue
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("jelmore_operator_queue_depth", "Sessions that wait for a look.", self._queue.depth)
        what = "Seconds that the first of them has waited."
        yield GaugeMetricFamily("jelmore_operator_queue_age_seconds", what, self._queue.age)
        states = Tally(resource.status.state for resource in self._store.resources())
        family = GaugeMetricFamily("jelmore_operator_sessions", "Sessions, by state.", labels=["state"])
        for state in SessionState:
            family.add_metric([state], states[state])
        yield family


@asynccontextmanager
async def served(metrics: Metrics, port: int | None) -> AsyncIterator[None]:
    """GET /metrics on every address. port: None for none. Raises OSError for a port that is taken."""
    if port is None:
        yield
        return

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if (request.method, request.path) != ("GET", "/metrics"):
            return web.Response(status=404)
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
