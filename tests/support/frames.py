"""Recorded lines of the real CLI: see `record_frames` for how they were made."""

import json
from pathlib import Path
from typing import Any

_FRAMES = Path(__file__).parents[1] / "data" / "frames"


def recordings() -> list[str]:
    """The names of all recorded scenarios."""
    return sorted(path.stem for path in _FRAMES.glob("*.jsonl") if not path.stem.endswith(".stdin"))


def recorded_lines(scenario: str) -> list[bytes]:
    """The lines of the CLI's stdout as they came, each with its newline."""
    return (_FRAMES / f"{scenario}.jsonl").read_bytes().splitlines(keepends=True)


def recorded_frames(scenario: str) -> list[dict[str, Any]]:
    """The same, parsed."""
    return [json.loads(line) for line in recorded_lines(scenario)]


def sent_frames(scenario: str) -> list[dict[str, Any]]:
    """What was written to the CLI's stdin."""
    lines = (_FRAMES / f"{scenario}.stdin.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]
