"""Text for people: cleaned of what could steer their terminal, shortened, with sizes and ages. Pure."""

import re
from datetime import datetime, timedelta

# C0 and C1 controls, and what turns the direction of writing (it can make a line read as another one).
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SEQUENCES = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")
_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"))
_MULTIPLE = ((86_400, "d"), (3_600, "h"), (60, "m"))


def clean(text: str) -> str:
    """Without colours and control characters; newlines and tabs stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str, most: int) -> str:
    """At most `most` characters, with … where there was more."""
    line = " ".join(clean(text[: 4 * most + 4]).split())
    return line if len(line) <= most and len(text) <= 4 * most + 4 else line[: most - 1].rstrip() + "…"


def excerpt(text: str, lines: int, columns: int) -> list[str]:
    """The first lines, each shortened, and how many there are more."""
    found = clean(text).strip("\n").split("\n")
    shown = [line.rstrip() if len(line) <= columns else line[: columns - 1] + "…" for line in found[:lines]]
    more = len(found) - lines
    return [*shown, f"… {counted(more, 'more line')}"] if more > 0 else shown


def counted(count: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Bytes: `12 B`, `3.4 MB`."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def age(since: datetime, now: datetime) -> str:
    """`12s`, `5m`, `3h`, `2d`."""
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    for unit, name in _MULTIPLE:
        if seconds >= unit:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"
