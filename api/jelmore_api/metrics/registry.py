"""What is counted and what is there now: how much and how quick, with no session's id and nothing of what was said."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jelmore_api.health.readiness import Report
from jelmore_api.services import Services

#: Seconds.
_HEAD = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """In a registry of its own, one an application."""

    def __init__(self) -> None:
        to = self._registry = CollectorRegistry()
        what = "Requests by route and status; a WebSocket counts when it ends, with 101 where it was accepted."
        self._requests = Counter("jelmore_api_requests", what, ["method", "route", "status"], registry=to)
        what = "Seconds until the head of the answer was sent."
        self._seconds = Histogram("jelmore_api_request_seconds", what, ["method", "route"], registry=to, buckets=_HEAD)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route`: with its parameters' names, not their values."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, services: Services, report: Report) -> bytes:
        """`report`: what is there of all that the service needs."""
        now = CollectorRegistry()
        now.register(_Now(services, report))
        return generate_latest(self._registry) + generate_latest(now)


class _Now(Collector):
    """What others count already, and what is not counted but there."""

    def __init__(self, services: Services, report: Report) -> None:
        self._services = services
        self._report = report

    def collect(self) -> Iterable[Metric]:
        persister = self._services.persister
        yield self._dependencies()
        yield _gauge("streams", "Clients that follow a session, by WebSocket or SSE.", len(self._services.streams))
        yield _gauge("rooms", "Sessions that are followed.", len(self._services.rooms))
        what = "1 for the replica that mirrors the log into PostgreSQL, 0 for those that wait."
        yield _gauge("mirror_active", what, persister.active)
        yield _gauge("mirror_pending", "Messages of the log that PostgreSQL had not got yet.", persister.pending)
        what = "Messages of the log that this replica has mirrored."
        yield CounterMetricFamily("jelmore_api_mirrored", what, value=persister.mirrored)
        yield self._dead_letters()

    def _dependencies(self) -> Metric:
        what = "Whether what the service needs answers."
        family = GaugeMetricFamily("jelmore_api_dependency_up", what, labels=["dependency"])
        for name, dependency in self._report.dependencies.items():
            family.add_metric([name], float(dependency.ok))
        return family

    def _dead_letters(self) -> Metric:
        what = "Messages on the log's subjects that are none of the log, as this replica met them."
        family = CounterMetricFamily("jelmore_api_dead_letters", what, labels=["category"])
        for category, count in self._services.persister.dead_letters.counts.items():
            family.add_metric([category], count)
        return family


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"jelmore_api_{name}", what, value=value)
