"""Log lines: one JSON object each, whatever is in them."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import nats.errors
import nats.js.errors
import pytest

from jelmore_operator.jsonlog import JsonLines, json_file_handler, logging_about
from jelmore_operator.kube.api import ApiError


def test_a_line() -> None:
    record = logging.makeLogRecord(
        {"name": "n", "levelname": "INFO", "msg": "%s\n!", "args": ("a",), "created": 0, "session": "s", "x": Path("/")}
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "timestamp": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "logger": "n",
        "message": "a\n!",
        "session": "s",
        "x": "/",
    }


def test_an_exception_is_on_the_same_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.makeLogRecord({"msg": "m", "exc_info": sys.exc_info()})
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: why")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            nats.js.errors.BadRequestError(code=400, err_code=10071, description="wrong last sequence: 3"),
            "BadRequestError: code=400 err_code=10071 description='wrong last sequence: 3'",
        ),
        (nats.errors.NoRespondersError(), "NoRespondersError: no responders available for request"),
        (ApiError(409, "Conflict", "it was changed"), "ApiError: 409 Conflict: it was changed"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_that_is_told_of_says_why(error: Exception, said: str) -> None:
    record = logging.makeLogRecord({"msg": "m", "error": error})
    assert json.loads(JsonLines().format(record))["error"] == said


def test_a_file(tmp_path: Path) -> None:
    handler = json_file_handler(tmp_path / "log")
    handler.emit(logging.makeLogRecord({"msg": "m"}))
    handler.close()
    assert json.loads((tmp_path / "log").read_text())["message"] == "m"


def about() -> tuple[str | None, str | None]:
    line = json.loads(JsonLines().format(logging.makeLogRecord({"msg": "m"})))
    return line.get("session"), line.get("action")


async def test_what_a_line_is_about_is_in_it_whoever_writes_it_and_not_in_others_lines() -> None:
    async def look(session: str) -> list[tuple[str | None, str | None]]:
        with logging_about(session=session):
            before = about()
            with logging_about(action="Start"):
                await asyncio.sleep(0)
                within = about()
            return [before, within, about()]

    for name, lines in zip(("a", "b"), await asyncio.gather(look("a"), look("b")), strict=True):
        assert lines == [(name, None), (name, "Start"), (name, None)]
    assert about() == (None, None)
