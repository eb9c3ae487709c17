"""Makes tests/data/frames anew from the real CLI: `python -m tests.support.record_frames [scenario ...]`.

`<scenario>.jsonl` has the lines of the CLI's stdout as they came, `<scenario>.stdin.jsonl` those sent to it.
Only the places of the machine are replaced: the workspace is /home/user/project, the configuration
/home/user/.claude.
"""

import asyncio
import os
import re
import sys
import tempfile
import uuid
from pathlib import Path

from jelmore_local.demo.serve import serve

from .claude_cli import Cli, claude
from .frame_scenarios import SCENARIOS, Scenario

FRAMES = Path(__file__).parents[1] / "data" / "frames"
_HOME = "/home/user"


async def record(name: str, url: str) -> Cli:
    """Run one scenario, after the one that it goes on from; gives what was said."""
    scenario = SCENARIOS[name]
    with tempfile.TemporaryDirectory(prefix="frames-") as folder:
        home = Path(folder)
        (home / "project").mkdir()
        session = uuid.uuid5(uuid.NAMESPACE_URL, scenario.after or name)
        if scenario.after:
            await _run(SCENARIOS[scenario.after], home, url, f"--session-id={session}")
        flag = f"--resume={session}" if scenario.after else f"--session-id={session}"
        cli = await _run(scenario, home, url, flag)
        FRAMES.mkdir(parents=True, exist_ok=True)
        for suffix, lines in (("jsonl", cli.lines), ("stdin.jsonl", cli.sent)):
            (FRAMES / f"{name}.{suffix}").write_bytes(_elsewhere(b"".join(lines), home))
        return cli


async def _run(scenario: Scenario, home: Path, url: str, flag: str) -> Cli:
    async with claude(
        url, home / "project", home / ".claude", flag, *scenario.flags, env=scenario.env
    ) as cli:
        await scenario.drive(cli)
    return cli


def _elsewhere(lines: bytes, home: Path) -> bytes:
    """The lines as a user at /home/user would have seen them."""
    text = lines.decode().replace(str(home), _HOME)
    # The CLI names folders by a path with all else than letters and digits made a dash.
    text = text.replace(_dashed(str(home)), _dashed(_HOME))
    return text.replace(f"/claude-{os.getuid()}/", "/claude-1000/").encode()


def _dashed(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "-", path)


async def main(names: list[str]) -> None:
    """Record the scenarios named, or all."""
    async with serve() as url:
        for name in names or SCENARIOS:
            cli = await record(name, url)
            print(f"{name}: {len(cli.lines)} lines")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
