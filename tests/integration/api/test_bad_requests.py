"""Bad input gets a problem document that says what to do, and changes nothing."""

import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from nats.aio.client import Client
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from jelmore_api.settings import Settings
from tests.support.api import RunningApi, footprint, serving

JSON = {"content-type": "application/json"}
TEN_MB = b'{"query": "' + b"x" * 10_000_000 + b'"}'

#: What is sent to POST /session: body, headers, status, last part of the problem's type.
BAD_SESSIONS: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("no JSON", b"{not json", JSON, 400, "invalid-request"),
    ("nothing", b"", JSON, 422, "invalid-request"),
    ("no UTF-8", b'{"query": "\xff"}', JSON, 400, "invalid-request"),
    ("a lone surrogate", rb'{"query": "\ud83d"}', JSON, 422, "invalid-request"),
    ("too deep", b"[" * 100_000, JSON, 400, "invalid-request"),
    ("a list", b"[]", JSON, 422, "invalid-request"),
    ("null", b"null", JSON, 422, "invalid-request"),
    ("a wrong type", b'{"query": 5}', JSON, 422, "invalid-request"),
    ("an unknown field", b'{"query": "x", "nothing": 1}', JSON, 422, "invalid-request"),
    ("a field in camelCase", b'{"permissionMode": "plan"}', JSON, 422, "invalid-request"),
    ("an empty query", b'{"query": ""}', JSON, 422, "invalid-request"),
    ("a blank query", b'{"query": " \\n\\t"}', JSON, 422, "invalid-request"),
    ("a long query", b'{"query": "' + b"x" * 200_001 + b'"}', JSON, 413, "too-large"),
    ("a query of 10 MB", TEN_MB, JSON, 413, "too-large"),
    ("large settings", b'{"mcp_servers": {"x": {"y": "' + b"z" * 1_000_000 + b'"}}}', JSON, 413, "too-large"),
    ("no content type", b"{}", {}, 415, "invalid-request"),
    ("a form", b"query=x", {"content-type": "application/x-www-form-urlencoded"}, 415, "invalid-request"),
    ("the nil UUID", b'{"session_id": "00000000-0000-0000-0000-000000000000"}', JSON, 422, "invalid-request"),
    ("a namespace that is none", b'{"namespace": "a.b"}', JSON, 422, "invalid-request"),
    ("a foreign host", b"{}", {**JSON, "host": "evil.example"}, 403, "forbidden-origin"),
    ("a foreign page", b"{}", {**JSON, "origin": "https://evil.example"}, 403, "forbidden-origin"),
    ("a sandboxed page", b"{}", {**JSON, "origin": "null"}, 403, "forbidden-origin"),
    ("a key without end", b"{}", {**JSON, "idempotency-key": "k" * 256}, 422, "invalid-request"),
]

BAD_INPUTS: list[tuple[bytes, int]] = [
    (b"{not json", 400),
    (b"{}", 422),
    (b'{"text": ""}', 422),
    (b'{"text": " "}', 422),
    (b'{"text": "x", "content": []}', 422),
    (b'{"content": []}', 422),
    (b'{"content": ["x"]}', 422),
    (b'{"text": 5}', 422),
    (b'{"text": "x", "more": 1}', 422),
    (b'{"text": "x", "idempotency_key": ""}', 422),
    (b'{"text": "' + b"x" * 1_000_001 + b'"}', 413),
    (TEN_MB.replace(b"query", b"text"), 413),
]


def is_problem(answer: httpx.Response, status: int, kind: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    body: dict[str, Any] = answer.json()
    assert body["type"].startswith("https://jelmore.dev/problems/")
    assert body["type"].endswith(kind)
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith(".")
    return body


async def test_bad_sessions_change_nothing(api: RunningApi, bus: Client) -> None:
    await api.create(query="the one that there is")
    before = await footprint(bus)
    for name, body, headers, status, kind in BAD_SESSIONS:
        answer = await api.http.post("/api/v1/session", content=body, headers=headers)
        problem = is_problem(answer, status, kind)
        assert len(problem["detail"]) < 400, name
    assert await footprint(bus) == before
    assert len((await api.http.get("/api/v1/sessions")).json()["items"]) == 1


async def test_a_body_of_unknown_length_is_not_kept(api: RunningApi, bus: Client) -> None:
    before, memory = await footprint(bus), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    piece = b"x" * 65_536

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(2048):
            yield piece

    is_problem(await api.http.post("/api/v1/session", content=chunks(), headers=JSON), 413, "too-large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * 1024  # KiB, of 128 MiB
    assert await footprint(bus) == before


async def test_workspaces_outside_the_roots_change_nothing(api: RunningApi, bus: Client, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "projects" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "projects" / "file").write_text("")
    before = await footprint(bus)
    for path in ("outside", "projects/link", "projects/link/x", "projects/../outside", "projects/file", "projects/no"):
        body = {"workspace": {"path": str(tmp_path / path)}}
        problem = is_problem(await api.http.post("/api/v1/session", json=body), 422, "workspace-not-allowed")
        assert problem["errors"][0]["pointer"] == "#/workspace/path"
    assert await footprint(bus) == before


GIT = "https://git.example.com/a"
BAD_CLONES = [
    ({"url": "https://ghp_secret@git.example.com/a"}, "workspace/git/url", "must hold no user, password or token"),
    ({"url": "https://me:ghp_secret@git.example.com/a"}, "workspace/git/url", "keep them in a Secret"),
    ({"url": "ext::sh -c id"}, "workspace/git/url", "must be https://HOST/PATH"),
    ({"url": "git@git.example.com:a"}, "workspace/git", "needs a Secret with the keys ssh-privatekey and known_hosts"),
    ({"url": GIT, "ref": "--upload-pack=x"}, "workspace/git/ref", "match pattern"),
    ({"url": GIT, "depth": 0}, "workspace/git/depth", "greater than or equal to 1"),
    ({"url": GIT, "secret_name": "../x"}, "workspace/git/secret_name", "match pattern"),
    ({"url": "file:///etc"}, "workspace/git/url", "must lie below"),
]


async def test_what_must_not_be_cloned_changes_nothing(api: RunningApi, bus: Client) -> None:
    before = await footprint(bus)
    for git, where, why in BAD_CLONES:
        answer = await api.http.post("/api/v1/session", json={"workspace": {"git": git}})
        problem = is_problem(answer, 422)
        assert problem["errors"][0]["pointer"] == f"#/{where}"
        assert why in problem["detail"]
        assert "ghp_secret" not in answer.text
    assert await footprint(bus) == before


async def test_git_is_changed_and_neither_added_nor_taken_away(api: RunningApi) -> None:
    with_git = await api.create(workspace={"git": {"url": GIT, "ref": "nope"}})
    changed = await api.http.patch(f"/api/v1/session/{with_git}", json={"workspace": {"git": {"ref": "main"}}})
    assert changed.json()["spec"]["workspace"]["git"]["ref"] == "main"
    without = await api.create()
    for session, git in ((with_git, None), (without, {"url": GIT})):
        answer = await api.http.patch(f"/api/v1/session/{session}", json={"workspace": {"git": git}})
        assert is_problem(answer, 422)["detail"] == (
            "workspace.git cannot be added or taken away: make another session."
        )
    answer = await api.http.patch(f"/api/v1/session/{with_git}", json={"workspace": {"git": {"url": "file:///etc"}}})
    assert "must lie below" in is_problem(answer, 422)["detail"]


async def test_bad_inputs_change_nothing(api: RunningApi, bus: Client) -> None:
    url = f"/api/v1/session/{await api.create()}/input"
    before = await footprint(bus)
    for body, status in BAD_INPUTS:
        is_problem(await api.http.post(url, content=body, headers=JSON), status)
    assert await footprint(bus) == before


BAD_PLACES = ("after=-1", "after=1", "after=x", "after=99999999999999999999", "limit=0", "limit=1001", "types=nothing")
BAD_PAGES = ("status=no", "limit=0", "limit=201", "cursor=no", "namespace=A.b")


async def test_bad_places_of_the_log_and_of_lists(api: RunningApi) -> None:
    session_id = await api.create()
    for query in BAD_PLACES:
        is_problem(await api.http.get(f"/api/v1/session/{session_id}/events?{query}"), 422, "invalid-request")
    for query in BAD_PAGES:
        is_problem(await api.http.get(f"/api/v1/sessions?{query}"), 422, "invalid-request")


async def test_paths_and_methods_that_there_are_not(api: RunningApi) -> None:
    is_problem(await api.http.get("/api/v1/nothing"), 404, "not-found")
    is_problem(await api.http.get("/api/v1/docs/assets/nothing.js"), 404, "not-found")
    is_problem(await api.http.get("/api/v1/docs/assets/..%2f..%2fmain.py"), 404, "not-found")
    is_problem(await api.http.put("/api/v1/session", json={}), 405, "invalid-request")


async def refused(url: str, **more: Any) -> httpx.Response:
    """What a WebSocket gets that is not accepted."""
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, proxy=None, **more)
    response = caught.value.response
    return httpx.Response(
        response.status_code, headers=dict(response.headers.raw_items()), content=bytes(response.body)
    )


async def test_websockets_are_refused_before_they_are_accepted(api: RunningApi) -> None:
    url = f"{api.ws_url}/api/v1/session/{await api.create()}/stream"
    nobody = f"{api.ws_url}/api/v1/session/550e8400-e29b-41d4-a716-446655440000/stream"
    is_problem(await refused(nobody), 404, "not-found")
    for query in ("after=-1", "after=5", "after=x", "deltas=perhaps"):
        is_problem(await refused(f"{url}?{query}"), 422, "invalid-request")
    is_problem(await refused(url, origin="https://evil.example"), 403, "forbidden-origin")
    is_problem(await refused(url, additional_headers={"Host": "evil.example"}), 403, "forbidden-origin")


async def test_a_token_is_asked_of_everybody(api_settings: Settings) -> None:
    token = "correct horse battery"
    async with serving(api_settings.model_copy(update={"token": SecretStr(token)})) as api:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = await api.http.get("/api/v1/sessions", headers=headers)
            is_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        is_problem(await refused(f"{api.ws_url}/api/v1/session/x/stream"), 401, "unauthorized")
        assert (await api.http.get("/healthz")).status_code == 200
        assert (await api.http.get("/api/v1/openapi.json")).json()["security"] == [{"token": []}]
        right = await api.http.get("/api/v1/sessions", headers={"authorization": f"Bearer {token}"})
        assert right.status_code in (200, 503)  # whatever is there behind it, by now
