"""What the proxy counts: how much and how quick, and nothing of what was said."""

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

#: Seconds. First words come within some, a whole answer may take minutes.
_HEAD = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600)
_WHOLE = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200)


class Metrics:
    """In a registry of its own."""

    def __init__(self) -> None:
        to = self._registry = CollectorRegistry()
        what = "Requests to the model's API by class of the answer; by: who answered, the upstream or the proxy itself."
        self._requests = Counter("jelmore_proxy_requests", what, ["status", "by"], registry=to)
        what = "Requests that were not passed on: none of the Messages API's."
        self.refused = Counter("jelmore_proxy_refused", what, registry=to)
        what = "Requests that said again what an earlier one had said that failed."
        self.retries = Counter("jelmore_proxy_retries", what, registry=to)
        self.cut = Counter("jelmore_proxy_cut", "Answers that the upstream broke off.", registry=to)
        self.sent = Counter("jelmore_proxy_sent_bytes", "Bodies of requests.", registry=to)
        self.received = Counter("jelmore_proxy_received_bytes", "Bodies of answers.", registry=to)
        what = "From a request to the head of its answer."
        self.head = Histogram("jelmore_proxy_answer_head_seconds", what, registry=to, buckets=_HEAD)
        what = "From a request to the end of its answer."
        self.whole = Histogram("jelmore_proxy_answer_seconds", what, registry=to, buckets=_WHOLE)

    def answered(self, status: int, by: str) -> None:
        self._requests.labels(f"{status // 100}xx", by).inc()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """GET /metrics."""
        if (request.method, request.path) != ("GET", "/metrics"):
            return web.Response(status=404)
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
