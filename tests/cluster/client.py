"""The few requests to the API server that the cluster's own parts make. Nothing but the standard library."""

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

from tests.cluster.layout import API_PORT, NODE_IP, State

# A JSON object as the API server sends it.
type Resource = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Client:
    def __init__(self, state: State) -> None:
        self._tls = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
        self._token = state.token.read_text()

    def ready(self) -> bool:
        try:
            return self._send("GET", "/readyz").status == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: Resource | None = None) -> Resource:
        """:raises Refused: with the server's message."""
        response = self._send(method, path, body)
        answer: Resource = json.loads(response.read())
        if response.status >= 300:
            raise Refused(response.status, f"{method} {path}: {answer.get('message')}")
        return answer

    def watch(self, path: str, since: str) -> Iterator[Resource]:
        """Events of `path` after the resource version `since`, until the server ends the watch."""
        response = self._send("GET", f"{path}?watch=1&resourceVersion={since}", limit_s=None)
        while line := response.readline():
            yield json.loads(line)

    def _send(
        self, method: str, path: str, body: Resource | None = None, limit_s: float | None = 30.0
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(NODE_IP, API_PORT, context=self._tls, timeout=limit_s)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()
