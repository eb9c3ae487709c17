"""The real CLI against the demo model: it says what it said when the recordings were made."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.claude_cli import Cli, claude
from tests.support.frame_scenarios import SCENARIOS, play
from tests.support.frames import recorded_frames, recordings
from tests.support.scripts import bash, cut, say, script

pytestmark = pytest.mark.real_cli


@pytest.fixture
async def cli(demo_url: str, tmp_path: Path) -> AsyncIterator[Cli]:
    workspace = tmp_path / "project"
    workspace.mkdir()
    async with claude(demo_url, workspace, tmp_path / ".claude", "--include-partial-messages") as running:
        yield running


def kinds(frames: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Which kinds of frames there are; how many of some depends on the machine's pace."""
    return {(frame["type"], frame.get("subtype") or frame.get("state") or "") for frame in frames}


def results(frames: list[dict[str, Any]]) -> list[Any]:
    """How each turn ended."""
    fields = ("terminal_reason", "is_error", "result", "num_turns")
    ended = [frame for frame in frames if frame["type"] == "result"]
    return [(*(frame.get(name) for name in fields), (frame.get("origin") or {}).get("kind")) for frame in ended]


def test_every_scenario_is_recorded() -> None:
    assert recordings() == sorted(SCENARIOS)


@pytest.mark.parametrize(
    "name", ["write", "bash_cd", "approval_denied", "question", "plan", "subagent", "background_bash", "resume"]
)
async def test_a_scenario_goes_as_recorded(name: str, demo_url: str, tmp_path: Path) -> None:
    said = (await play(name, tmp_path, demo_url)).frames
    recorded = recorded_frames(name)
    assert kinds(said) == kinds(recorded)
    assert results(said) == results(recorded)


async def test_the_persona_writes_an_application(cli: Cli, tmp_path: Path) -> None:
    await cli.prompt("Help me create a Python FastAPI application")
    await cli.idle()
    assert "FastAPI" in (tmp_path / "project/jelmore_demo/app.py").read_text()
    [(reason, is_error, said, *_)] = results(cli.frames)
    assert (reason, is_error) == ("completed", False)
    assert "scripted demo model" in said


async def test_a_cut_stream_is_tried_again_and_leaves_no_words(cli: Cli) -> None:
    await cli.prompt(script(cut(2, "These words are lost on their way to you, " * 5, times=1), say("Recovered.")))
    await cli.idle()
    assert [result[2] for result in results(cli.frames)] == ["Recovered."]


async def test_words_come_as_slowly_as_asked(cli: Cli) -> None:
    await cli.prompt(script(say("One, two, three.", deltas=4, delay_ms=5)))
    await cli.idle()
    deltas = [frame["event"] for frame in cli.frames if frame["type"] == "stream_event"]
    words = [event["delta"]["text"] for event in deltas if event["type"] == "content_block_delta"]
    assert words == ["One,", " two", ", th", "ree."]


async def test_a_script_sent_meanwhile_takes_over(cli: Cli) -> None:
    await cli.prompt(script(bash("python3 -c 'print(1)'"), say("First.")))
    request = await cli.expect("can_use_tool")
    await cli.prompt(script(say("Second.")))
    await cli.expect("command_lifecycle", state="queued")
    await cli.allow(request)
    await cli.idle()
    assert [result[2] for result in results(cli.frames)] == ["Second."]


async def test_a_side_request_moves_no_script(cli: Cli) -> None:
    await cli.prompt(script(bash("echo one"), say("Two.")))
    await cli.control("generate_session_title", description=script(bash("echo never")), persist=False)
    answer = await cli.expect("control_response")
    await cli.idle()
    assert answer["response"]["response"]["title"] == "Please do this:"
    assert [result[2] for result in results(cli.frames)] == ["Two."]
