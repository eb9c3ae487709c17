"""What the stand-in for the CLI prints: lines of a given kind, each stamped as it is written.

The stamp is the last field of the line's JSON, so that it reads the same at the far end, whatever was put around it.
`time.monotonic_ns` is one clock for all processes of a machine.
"""

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.frames import recorded_lines

_STAMP = '"stamp":'
_SMALL = 200
_STAMP_LENGTH = len(f",{_STAMP}{10**15}")
#: Turns with tools, a subagent and background work; nothing in them has to be answered.
_SCENARIOS = ("write", "bash_cd", "subagent", "background_bash", "simple")
_LEFT_OUT = ("control_response", "control_request", "control_cancel_request", "stream_event")


@dataclass(frozen=True, slots=True)
class Order:
    """As the stand-in takes it: which lines, and how long to wait before each (milliseconds, at random in between)."""

    lines: str
    least_ms: float
    most_ms: float

    def text(self) -> str:
        return json.dumps(asdict(self))


def small_lines(count: int) -> list[bytes]:
    """Of 200 bytes each, newline included."""
    frame = {"type": "assistant", "message": {"role": "assistant", "content": ""}}
    room = _SMALL - len(json.dumps(frame)) - _STAMP_LENGTH - 1
    frame["message"] = {"role": "assistant", "content": "x" * room}
    return [json.dumps(frame).encode()] * count


def recorded_mix(count: int, seed: int) -> list[bytes]:
    """Lines of the real CLI as they were recorded, whole turns in turn.

    Requests and their answers are left out, and with them the state in which the CLI waits for one.
    """
    scenarios = list(_SCENARIOS)
    random.Random(seed).shuffle(scenarios)
    kept = [line.rstrip(b"\n") for name in scenarios for line in recorded_lines(name) if _plain(line)]
    return (kept * (count // len(kept) + 1))[:count]


def _plain(line: bytes) -> bool:
    frame = json.loads(line)
    return frame["type"] not in _LEFT_OUT and frame.get("state") != "requires_action"


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def stamp(text: str) -> int | None:
    """When the line in this text was printed (nanoseconds), if it is one of the stamped ones."""
    place = text.rfind(_STAMP)
    if place < 0:
        return None
    digits = text[place + len(_STAMP) :]
    return int(digits[: len(digits) - len(digits.lstrip("0123456789"))])
