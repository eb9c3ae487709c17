"""What every request passes: an id, a line in the log, an answer even to what nobody expected."""

import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jelmore_api.logs import JsonFormatter, request_id
from jelmore_api.metrics.registry import Metrics
from jelmore_api.middleware import AccessLog, BodyLimit

SECRET = "hunter2"


async def fail(_: Request) -> Response:
    raise RuntimeError("a defect")


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Route("/fail", fail), Route("/size", size, methods=["POST"])])
    app.add_middleware(BodyLimit, limit=10)
    app.add_middleware(AccessLog, metrics=Metrics())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


async def test_a_defect_is_answered_with_its_id_and_logged_once(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail", headers={"X-Request-Id": "mine-1"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine-1"
    assert "defect" not in answer.text
    assert len([record for record in caplog.records if record.exc_info]) == 1


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "é"])
async def test_an_id_that_could_do_harm_in_a_log_is_not_taken(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post("/size", headers={b"X-Request-Id": given.encode()})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(("length", "status"), [(0, 200), (10, 200), (11, 413)])
async def test_a_body_has_a_limit(client: httpx.AsyncClient, length: int, status: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(length):
            yield b"x"

    assert (await client.post("/size", content=b"x" * length)).status_code == status
    assert (await client.post("/size", content=pieces())).status_code == status


async def test_a_line_tells_neither_query_nor_headers_nor_body(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await client.post(f"/size?q={SECRET}", content=SECRET, headers={"Authorization": f"Bearer {SECRET}"})
    access = [record for record in caplog.records if record.name == "jelmore.api.access"]
    assert len(access) == 1
    line = JsonFormatter().format(access[0])
    assert SECRET not in line
    fields = json.loads(line)
    assert (fields["method"], fields["path"], fields["status"], fields["level"]) == ("POST", "/size", 200, "info")
    assert fields["duration_ms"] >= 0


def test_a_record_is_one_line_of_json() -> None:
    record = logging.makeLogRecord({"name": "n", "levelname": "WARNING", "msg": "two\nlines %s", "args": ("é",)})
    token = request_id.set("r1")
    try:
        line = JsonFormatter().format(record)
    finally:
        request_id.reset(token)
    assert "\n" not in line
    assert json.loads(line)["message"] == "two\nlines é"
    assert json.loads(line)["request_id"] == "r1"
