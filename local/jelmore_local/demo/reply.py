"""What the demo model answers to one request: a reply, perhaps broken off, or a refusal."""

from dataclasses import dataclass, field
from enum import StrEnum

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the model."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of the CLI's tools."""

    name: str
    input: dict[str, Json] = field(default_factory=dict)


type Content = Text | ToolUse


class Ending(StrEnum):
    """How the answer's stream ends."""

    COMPLETE = "complete"
    CUT = "cut"  # the connection is closed in the middle
    STALL = "stall"  # nothing more comes; the connection stays open


@dataclass(frozen=True, slots=True)
class Reply:
    """One response of the model. `deltas`: into how many pieces each content is cut (none: by its length);
    `delay_s`: seconds before each piece; `ending_after`: pieces sent before any other ending."""

    contents: tuple[Content, ...]
    deltas: int | None = None
    delay_s: float = 0.0
    ending: Ending = Ending.COMPLETE
    ending_after: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error instead of a response: the HTTP status, words, and seconds for the header `retry-after`."""

    status: int
    message: str
    retry_after_s: float | None = None


type Answer = Reply | Refusal


def say(text: str) -> Reply:
    """A reply of one text."""
    return Reply((Text(text),))
