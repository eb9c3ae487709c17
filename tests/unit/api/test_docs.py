"""The documentation needs nothing from elsewhere, and describes every call."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

import jelmore_api
from jelmore_api.docs import _POLICY
from jelmore_api.main import create_app
from jelmore_api.settings import Settings

WEB = Path(jelmore_api.__file__).parent / "web"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    paths = description["paths"].items()
    return [(f"{method} {path}", call) for path, calls in paths for method, call in calls.items()]


def test_files_of_others_are_the_ones_that_are_listed() -> None:
    listed = re.findall(r"`([a-z-]+/)` .*`([0-9a-f]{64})`", (WEB / "VENDORED.md").read_text())
    assert len(listed) == 2
    for folder, digest in listed:
        scripts = list((WEB / folder).glob("*.js"))
        assert [hashlib.sha256(script.read_bytes()).hexdigest() for script in scripts] == [digest]
        assert (WEB / folder / "LICENSE").is_file()


@pytest.mark.parametrize("page", ["swagger.html", "redoc.html", "swagger.js", "redoc.js", "redoc.css"])
def test_pages_name_no_other_server_and_only_files_that_are_there(page: str) -> None:
    text = (WEB / page).read_text().replace('img[src^="https://cdn.redoc.ly"]', "")
    assert "//" not in text.replace("// validatorUrl", "")
    for asset in re.findall(r"/api/v1/docs/assets/([^\"]+)", text):
        assert (WEB / asset).is_file()


def test_the_browser_may_not_load_from_elsewhere() -> None:
    assert "http" not in _POLICY
    assert "*" not in _POLICY
    assert "default-src 'self'" in _POLICY


def test_every_call_is_described(description: dict[str, Any]) -> None:
    calls = operations(description)
    assert len(calls) >= 12
    for name, call in calls:
        assert call.get("summary"), name
        assert call.get("description"), name
        assert call.get("tags"), name


def test_every_problem_is_a_problem_document(description: dict[str, Any]) -> None:
    for name, call in operations(description):
        for status, response in call["responses"].items():
            if int(status) >= 400 and "readyz" not in name:
                assert "application/problem+json" in response["content"], (name, status)
                assert "application/json" not in response["content"], (name, status)


def test_the_six_names_of_a_session(description: dict[str, Any]) -> None:
    properties = description["components"]["schemas"]["Session"]["properties"]
    assert list(properties)[:6] == [
        "id",
        "status",
        "current_directory",
        "created_at",
        "last_activity",
        "output_buffer_size",
    ]
