"""The real CLI, which holds a placeholder, through the key proxy to the demo model, which sees the key."""

from pathlib import Path

import pytest

from tests.support.claude_cli import claude
from tests.support.key_proxy import KEY, Proxied
from tests.support.scripts import bash, say, script
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
    async with tapped(demo_url) as upstream, proxied(kind, upstream.url) as url:
        async with claude(url, workspace, config, "--allowedTools", "Bash", env=environment) as cli:
            await cli.prompt(script(bash("echo hi > made.txt"), say("All done.", chars=2000, deltas=40)))
            await cli.idle()
        assert (workspace / "made.txt").read_text() == "hi\n"
        lines = b"".join(cli.lines)
    assert seen.encode() in upstream.said
    assert b"dummy-credential" not in upstream.said
    assert upstream.said.count(b"POST /v1/messages?beta=true HTTP/1.1") >= 2
    assert KEY.encode() not in lines
