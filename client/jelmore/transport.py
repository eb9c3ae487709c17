"""Requests to the API, tried again where that may help. Everything here raises JelmoreError and nothing else."""

import asyncio
from collections.abc import Mapping, Sequence

import httpx
from pydantic import BaseModel, ValidationError

from jelmore.config import Target
from jelmore.problems import JelmoreError, NotListening, Unavailable, from_response
from jelmore.retries import AGAIN, pause

_CONNECT_S = 5.0
type Query = Mapping[str, str | int | Sequence[str]]


class Transport:
    """timeout: seconds for each try of a request. retries: tries after the first one; where nobody listens and nobody
    ever did, there are none. transport: for tests.
    """

    def __init__(
        self,
        target: Target,
        *,
        timeout: float = 30.0,
        retries: int = 5,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.target = target
        self.reached = False
        self._retries = retries
        self._http = httpx.AsyncClient(
            base_url=target.url,
            headers=target.headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_S)),
            transport=transport,
            trust_env=not target.on_this_machine,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def call[Answer: BaseModel](
        self,
        kind: type[Answer],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        key: str | None = None,
    ) -> Answer:
        """The answer to a call below /api/v1. `key`: its Idempotency-Key."""
        response = await self.request(method, f"/api/v1/{path}", query=query, body=body, key=key)
        return self.read(kind, response)

    def read[Answer: BaseModel](self, kind: type[Answer], response: httpx.Response) -> Answer:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            url = self.target.url
            detail = f"{url} answered what this client does not understand: check JELMORE_URL, and that both"
            raise JelmoreError(f"{detail} have the same version") from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        key: str | None = None,
        also: int | None = None,
    ) -> httpx.Response:
        """`also`: a status that is no error here."""
        headers = {"Idempotency-Key": key} if key else {}
        request = self._http.build_request(method, path, params=query, json=body, headers=headers)
        failures = 0
        while True:
            again: str | None = None
            try:
                response = await self._http.send(request)
                if response.is_success or response.status_code == also:
                    self.reached = True
                    return response
                error = from_response(response.status_code, response.content, self.target.url)
                if response.status_code not in AGAIN:
                    raise error
                again = response.headers.get("Retry-After")
            except httpx.HTTPError as lost:
                error = self._unavailable(lost)
                if isinstance(error, NotListening) and not self.reached:
                    raise error from lost
            if failures >= self._retries:
                raise error
            await asyncio.sleep(pause(failures, again))
            failures += 1

    def _unavailable(self, error: httpx.HTTPError) -> JelmoreError:
        url = self.target.url
        if isinstance(error, httpx.ConnectError):
            return NotListening(url)
        if isinstance(error, httpx.TimeoutException):
            return Unavailable(f"{url} did not answer in time: try again, {url}/readyz says what is away")
        return Unavailable(f"the connection to {url} broke ({type(error).__name__}): try again")
