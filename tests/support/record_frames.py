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
from pathlib import Path

from jelmore_local.demo.serve import serve

from .claude_cli import Cli
from .frame_scenarios import SCENARIOS, play

FRAMES = Path(__file__).parents[1] / "data" / "frames"
_HOME = "/home/user"


async def record(name: str, url: str) -> Cli:
    """Run one scenario and write down what was said."""
    with tempfile.TemporaryDirectory(prefix="frames-") as folder:
        home = Path(folder)
        cli = await play(name, home, url)
        FRAMES.mkdir(parents=True, exist_ok=True)
        for suffix, lines in (("jsonl", cli.lines), ("stdin.jsonl", cli.sent)):
            (FRAMES / f"{name}.{suffix}").write_bytes(_elsewhere(b"".join(lines), home))
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
