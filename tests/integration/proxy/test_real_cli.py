"""The real CLI, which holds a placeholder, through the key proxy to the demo model, which sees the key."""

import asyncio
from pathlib import Path

import pytest

from tests.support.claude_cli import claude
from tests.support.key_proxy import KEY, Proxied
from tests.support.scripts import bash, error, say, script
from tests.support.tap import tapped

pytestmark = pytest.mark.real_cli


@pytest.mark.parametrize(
    ("kind", "held", "seen"),
    [
        ("apiKey", "ANTHROPIC_API_KEY", f"x-api-key: {KEY}"),
        ("gateway", "ANTHROPIC_AUTH_TOKEN", f"Authorization: Bearer {KEY}"),
    ],
)
async def test_a_turn(demo_url: str, proxied: Proxied, tmp_path: Path, kind: str, held: str, seen: str) -> None:
    workspace, config = tmp_path / "workspace", tmp_path / "config"
    workspace.mkdir()
    environment = {"ANTHROPIC_API_KEY": "", held: "dummy-credential"}
    async with tapped(demo_url) as upstream, proxied(kind, upstream.url) as proxy:
        async with claude(proxy.url, workspace, config, "--allowedTools", "Bash", env=environment) as cli:
            await cli.prompt(script(bash("echo hi > made.txt"), say("All done.", chars=2000, deltas=40)))
            await cli.idle()
            await cli.control("get_context_usage")
            await cli.expect("control_response")
        assert (workspace / "made.txt").read_text() == "hi\n"
        lines = b"".join(cli.lines)
        figures = await proxy.figures()
    assert seen.encode() in upstream.said
    assert b"dummy-credential" not in upstream.said
    assert upstream.said.count(b"POST /v1/messages?beta=true HTTP/1.1") >= 2
    assert KEY.encode() not in lines
    assert b"POST /v1/messages/count_tokens?beta=true HTTP/1.1" in upstream.said
    assert figures["requests_total upstream 2xx"] >= 3
    # All that the CLI asks for is let through; without what is not essential, it asks for nothing else.
    assert "refused_total" not in figures


async def test_what_the_cli_asks_with_nothing_switched_off_is_let_through(
    demo_url: str, proxied: Proxied, tmp_path: Path
) -> None:
    (tmp_path / "workspace").mkdir()
    environment = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": ""}
    async with tapped(demo_url) as upstream, proxied("apiKey", upstream.url) as proxy:
        async with claude(proxy.url, tmp_path / "workspace", tmp_path / "config", env=environment) as cli:
            await cli.prompt(script(say("Hi.")))
            await cli.idle()
        assert "refused_total" not in await proxy.figures()
    assert b"HEAD /api/hello HTTP/1.1" in upstream.said


async def test_errors_are_the_cli_s_to_try_again_and_are_counted(
    demo_url: str, proxied: Proxied, tmp_path: Path
) -> None:
    (tmp_path / "workspace").mkdir()
    async with proxied("apiKey", demo_url) as proxy:
        async with claude(proxy.url, tmp_path / "workspace", tmp_path / "config") as cli:
            await cli.prompt(script(error(529, times=1), error(429, times=1, retry_after=1), say("There.")))
            await cli.idle()
            retries = [frame for frame in cli.frames if frame.get("subtype") == "api_retry"]
        figures = await proxy.figures()
    assert len(retries) >= 2
    assert figures["retries_total"] == len(retries)
    assert figures["requests_total upstream 4xx"] == figures["requests_total upstream 5xx"] == 1


async def test_a_key_that_is_exchanged_in_the_middle_of_a_turn_is_used_from_the_next_request_on(
    demo_url: str, proxied: Proxied, tmp_path: Path
) -> None:
    (tmp_path / "workspace").mkdir()
    config = tmp_path / "config"
    async with (
        tapped(demo_url) as upstream,
        proxied("apiKey", upstream.url) as proxy,
        claude(proxy.url, tmp_path / "workspace", config, "--allowedTools", "Bash") as cli,
    ):
        slow = say("slow", chars=400, deltas=40, delay_ms=50)
        await cli.prompt(script([slow, bash("true")], say("Done.")))
        async with asyncio.timeout(20):
            while f"x-api-key: {KEY}".encode() not in upstream.said:  # noqa: ASYNC110 - what a server was told
                await asyncio.sleep(0.02)
        proxy.secret.put(apiKey="sk-ant-the-next-one")
        await cli.idle()
    assert [frame for frame in cli.frames if frame.get("subtype") == "api_retry"] == []
    keys = [line for line in bytes(upstream.said).split(b"\r\n") if line.startswith(b"x-api-key")]
    assert keys == [f"x-api-key: {KEY}".encode(), b"x-api-key: sk-ant-the-next-one"]
