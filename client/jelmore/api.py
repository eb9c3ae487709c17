"""The REST API, typed. Every method raises JelmoreError."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from jelmore.config import Target
from jelmore.models import Approval, ApprovalPage, EventPage, InputReceipt, Session, SessionPage
from jelmore.problems import JelmoreError, NotListening, Unavailable, from_response

_TIMEOUT = httpx.Timeout(30, connect=5)
_PAGE = 200  # sessions; the most that the API gives at once
_EVENTS_PAGE = 1000


class Client:
    """A context manager. `transport`: for tests.

    with Client(find_target(None, os.environ)) as client:
        session = client.create({"query": "Help me create a Python FastAPI application"})
    """

    def __init__(self, target: Target, transport: httpx.BaseTransport | None = None) -> None:
        self.target = target
        self._http = httpx.Client(
            base_url=f"{target.url}/api/v1/",
            headers=target.headers,
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=not target.on_this_machine,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(self, fields: Mapping[str, Any], key: str | None = None) -> Session:
        """`fields`: of `POST /session`, all optional. `key`: the same key again is the same session."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._call(Session, "POST", "session", json=dict(fields), headers=headers)

    def session(self, session_id: str) -> Session:
        return self._call(Session, "GET", _path(session_id))

    def sessions(self, status: str | None = None) -> Iterator[Session]:
        """Newest first, those that have ended included; read by the page."""
        asked: dict[str, str | int] = {"limit": _PAGE} | ({"status": status} if status else {})
        while True:
            page = self._call(SessionPage, "GET", "sessions", params=asked)
            yield from page.items
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    def send(self, session_id: str, text: str, key: str | None = None) -> InputReceipt:
        """`key`: the same key again is the same input."""
        body = {"text": text} | ({"idempotency_key": key} if key else {})
        return self._call(InputReceipt, "POST", _path(session_id, "input"), json=body)

    def interrupt(self, session_id: str) -> None:
        self._request("POST", _path(session_id, "interrupt"))

    def delete(self, session_id: str) -> None:
        self._request("DELETE", _path(session_id))

    def approvals(self, session_id: str) -> list[Approval]:
        """Those that wait for an answer, oldest first."""
        return self._call(ApprovalPage, "GET", _path(session_id, "approvals")).items

    def answer(self, session_id: str, approval_id: str, answer: Mapping[str, Any]) -> None:
        """`answer`: `{"decision": "allow" | "deny"}`, with `message`, `answers`, ..."""
        self._request("POST", _path(session_id, "approvals", approval_id), json=dict(answer))

    def events(self, session_id: str, after: int = 0, types: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
        """What is stored with a greater seq; read by the page."""
        while True:
            asked: dict[str, Any] = {"after": after, "limit": _EVENTS_PAGE, "types": list(types)}
            page = self._call(EventPage, "GET", _path(session_id, "events"), params=asked)
            yield from page.items
            if len(page.items) < _EVENTS_PAGE:
                return
            after = page.next_after

    def blob(self, session_id: str, name: str) -> bytes:
        """A payload that was too large for its event, byte for byte."""
        return self._request("GET", _path(session_id, "blobs", name)).content

    def _call[Answer: BaseModel](self, kind: type[Answer], method: str, path: str, **more: Any) -> Answer:
        response = self._request(method, path, **more)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            detail = (
                f"{self.target.url} answered what this client does not understand: check JELMORE_URL, and that both"
            )
            raise JelmoreError(f"{detail} have the same version") from error

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._problems():
            response = self._http.request(method, path, **more)
        if not response.is_success:
            raise from_response(response.status_code, response.content, self.target.url)
        return response

    @contextmanager
    def _problems(self) -> Iterator[None]:
        url = self.target.url
        try:
            yield
        except httpx.ConnectError as error:
            raise NotListening(url) from error
        except httpx.TimeoutException as error:
            raise Unavailable(f"{url} did not answer in time: try again, {url}/readyz says what is away") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"the connection to {url} broke ({type(error).__name__}): try again") from error


def _path(session_id: str, *parts: str) -> str:
    return "/".join(("session", *(quote(part, safe="") for part in (session_id, *parts))))
