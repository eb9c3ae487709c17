"""The demo model over HTTP."""

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from jelmore_local.demo.serve import serve
from tests.support.scripts import cut, error, say, script, stall


def body(prompt: str, **fields: Any) -> dict[str, Any]:
    """A request of a conversation with one prompt."""
    messages = [{"role": "user", "content": prompt}]
    return {"model": "claude-opus-5-5", "max_tokens": 1, "messages": messages, "tools": [{"name": "Bash"}], **fields}


@pytest.fixture
async def http(demo_url: str) -> Any:
    async with httpx.AsyncClient(base_url=demo_url, timeout=30) as client:
        yield client


async def test_a_stream(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/messages?beta=true", json=body(script(say("Hi.")), stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("message_start", "message_stop")
    assert '"text": "Hi."' in answer.text


async def test_a_document(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/v1/messages", json=body(script(say("Hi."))))).json()
    assert answer["content"] == [{"type": "text", "text": "Hi."}]
    assert answer["stop_reason"] == "end_turn"


async def test_no_two_responses_share_an_id(http: httpx.AsyncClient) -> None:
    request = body(script(say("Hi.")))
    answers = [(await http.post("/v1/messages", json=request)).json() for _ in range(2)]
    assert answers[0]["id"] != answers[1]["id"]


async def test_the_small_endpoints(http: httpx.AsyncClient) -> None:
    counted = await http.post("/v1/messages/count_tokens", json=body("Hello"))
    assert counted.json()["input_tokens"] > 10
    assert (await http.get("/api/hello")).status_code == 200
    assert (await http.head("/api/hello")).status_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "truncated"), (b'{"model": "m"}', "`messages`"), (b'{"model": 1, "messages": []}', "`$.model`")],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_a_bad_request(http: httpx.AsyncClient, path: str, content: bytes, words: str) -> None:
    answer = await http.post(path, content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert words in answer.json()["error"]["message"]


async def test_what_it_does_not_have(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/models")
    assert answer.status_code == 404
    assert answer.json()["error"] == {"type": "not_found_error", "message": "The demo model has no GET /v1/models."}


async def test_errors_are_counted_for_each_conversation(http: httpx.AsyncClient) -> None:
    request = body(script(error(529, times=2, retry_after=3), say("At last.")))
    one, other = {"x-claude-code-session-id": "one"}, {"x-claude-code-session-id": "other"}
    answers = [await http.post("/v1/messages", json=request, headers=headers) for headers in (one, other, one, one)]
    assert [answer.status_code for answer in answers] == [529, 529, 529, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json()["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_connection(http: httpx.AsyncClient, stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        await http.post("/v1/messages", json=body(script(cut(1)), stream=stream))


async def test_a_slow_stream(http: httpx.AsyncClient) -> None:
    started = time.monotonic()
    await http.post("/v1/messages", json=body(script(say("abc", deltas=3, delay_ms=50)), stream=True))
    assert time.monotonic() - started >= 0.15


async def test_a_stalled_stream_says_nothing_more(demo_url: str) -> None:
    async with (
        httpx.AsyncClient(base_url=demo_url, timeout=30) as client,
        client.stream("POST", "/v1/messages", json=body(script(stall(1)), stream=True)) as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: message_start"
        # The first words may take their time; only then does silence count.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_to_the_end(lines), 0.3)


async def _to_the_end(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


async def test_a_stalled_stream_does_not_keep_the_server_from_stopping() -> None:
    async with asyncio.timeout(10), httpx.AsyncClient() as client:
        async with serve() as url:
            request = client.build_request("POST", f"{url}/v1/messages", json=body(script(stall(1)), stream=True))
            answer = await client.send(request, stream=True)
        await answer.aclose()


async def test_a_port_in_use_is_refused(demo_url: str) -> None:
    with pytest.raises(OSError, match="in use"):
        async with serve(httpx.URL(demo_url).port or 0):
            pass


async def test_the_command_serves_until_a_signal() -> None:
    argv = [sys.executable, "-m", "jelmore_local.demo", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            url = json.loads(await process.stdout.readline())["url"]
            async with httpx.AsyncClient(base_url=url, timeout=20) as client:
                assert (await client.get("/api/hello")).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_command_refuses_what_is_no_port() -> None:
    argv = [sys.executable, "-m", "jelmore_local.demo", "--port", "70000"]
    process = await asyncio.create_subprocess_exec(*argv, stderr=PIPE)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert "70000 is no port (0 to 65535)" in err.decode()


async def test_the_command_names_a_port_in_use(demo_url: str) -> None:
    port = str(httpx.URL(demo_url).port)
    argv = [sys.executable, "-m", "jelmore_local.demo", "--port", port]
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (1, b"")
    assert err.decode().startswith(f"The demo model cannot serve on port {port}: Address already in use.")
